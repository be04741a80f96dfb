"""What is in a folder of music, before anything is trained on it."""
