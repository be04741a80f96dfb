"""RTNeural JSON: strict parsing, and inference in NumPy that computes what RTNeural computes."""
