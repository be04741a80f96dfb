"""What every process needs and no result depends on: errors, whole files, locks, the console."""
