"""Examples for MelodyTransformer: the embedded context of each bar, and the melody pitches that sound in it."""

import numpy as np

from kelly.sources.extraction.sequences import Examples, split_into_sequences
from kelly.sources.layouts.manifest import Entry
from kelly.sources.music.context import CONTEXT_UNITS, context_embeddings
from kelly.sources.music.piece import Music, read_music, sounding_pitches
from kelly.sources.readers.midi import Midi

UNITS = {"frame": "bar"} | CONTEXT_UNITS


def extract_examples(entry: Entry, midi: Midi, num_frames: int) -> tuple[Examples, str]:
    """Sequences of num_frames bars of a MIDI file, and its mode. Raises KellyError as `read_music`.

    inputs float32[n, num_frames, 64]: embedding of the context; targets float32[n, num_frames, 128]: 1 where MIDI pitch
    k sounds in the bar, the tonic transposed to C, masked past the end of the piece; previous: targets of the last bar.
    """
    music = read_music(entry, midi)
    return examples_of(entry, music, num_frames), music.key.mode


def examples_of(entry: Entry, music: Music, num_frames: int) -> Examples:
    """The sequences of a piece, as `extract_examples` returns them."""
    targets = sounding_pitches(music)
    previous = np.concatenate([np.full_like(targets[:1], np.nan), targets[:-1]])
    return split_into_sequences(context_embeddings(entry, music), targets, previous, num_frames)
