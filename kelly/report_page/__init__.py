"""The results as one page for a browser, without anything from the network: pictures, scores, warnings, commands."""
