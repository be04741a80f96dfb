"""What can be asked for: the five tasks, their layers, and params.yaml with all that it may say."""
