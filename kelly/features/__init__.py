"""What goes into the networks: the emotion embedding, what was heard before, the audio frame."""
