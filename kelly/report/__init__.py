"""The results of all networks: report.md, and an HTML page with plots, warnings and commands."""
