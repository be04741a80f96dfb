"""Readers of files: MIDI, sound, scores; each says in one message why a file cannot be used."""
