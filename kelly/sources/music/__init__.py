"""Music analysis of notes: bars, keys, chords, melody, performance, and the context of each window."""
