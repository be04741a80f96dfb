"""The exported networks heard: a phrase composed from what they say, as a MIDI file or in a page for a browser.

The networks say what: pitches, chords, loudness, timing and accents. `arranging` says how that becomes notes, so that
it can be heard at all; the plugin has rules of its own. The page computes the same in JavaScript, note for note.
"""
