"""Listen to the exported networks: compose a phrase from their outputs, as a MIDI file or on a page for a browser.

The rules in `arranging` turn the outputs into notes; the plugin has rules of its own.
"""
