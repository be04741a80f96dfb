"""Inputs of the networks: the emotion embedding, the context before a bar, the log-mel frame."""
