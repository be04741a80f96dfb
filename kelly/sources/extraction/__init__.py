"""From the files of a folder to arrays on disk: side by side, in flat memory, going on after a stop."""
