"""The results of all networks: a table with words, and a page with pictures, warnings and commands."""
