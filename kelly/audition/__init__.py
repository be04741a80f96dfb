"""Listen to the exported networks: compose a phrase from their outputs, as a MIDI file or on a page for a browser.

The networks give pitches, chords, loudness, timing and accents. The rules in `arranging` turn them into notes; the
plugin has rules of its own. The page computes the same in JavaScript, note for note.
"""
