"""The source of each network's examples: a synthetic process, music21's scores, or a folder of MIDI or audio files."""
