"""Kelly: trains, proves and compares the five small networks that the Kelly MIDI Companion plays through RTNeural."""
