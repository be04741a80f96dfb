"""How good a network is: losses and scores, what it must beat, and how far that can be trusted."""
