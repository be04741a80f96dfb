"""What notes tell: bars, keys, chords, how they were played, and what a listener knows of them."""
