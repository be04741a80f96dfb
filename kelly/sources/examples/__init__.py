"""What each network learns from a piece of music, one file a network."""
