"""What `kelly inspect` reports of a folder of music."""
