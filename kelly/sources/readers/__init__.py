"""Readers of files: MIDI, audio, scores, annotations. Each rejects a file with one message that gives the reason."""
