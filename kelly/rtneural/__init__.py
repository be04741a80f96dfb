"""RTNeural's JSON: how it must look, and what RTNeural computes from it."""
