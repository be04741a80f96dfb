"""MelodyTransformer's lesson: what was heard before a bar, and the melody's pitches that sound in it."""

import numpy as np
from numpy.typing import NDArray

from kelly.features.emotion import embed
from kelly.sources.extraction.rows import Examples, cut
from kelly.sources.layouts.listing import Entry
from kelly.sources.music.listening import UNITS as HEARD_UNITS
from kelly.sources.music.listening import Windows, heard_in
from kelly.sources.music.piece import Music, read_music, sounding_pitches
from kelly.sources.readers.midi import Midi

UNITS = {"frame": "bar"} | HEARD_UNITS


def extract_examples(entry: Entry, midi: Midi, num_frames: int) -> tuple[Examples, str]:
    """Sequences of num_frames bars of a MIDI file, and its mode. Raises KellyError as `read_music` does.

    inputs float32[n, num_frames, 64]: embedding; targets float32[n, num_frames, 128]: 1 where MIDI pitch k sounds in
    the bar, the tonic transposed to C; masked past the piece's end; heard: the bar before.
    """
    music = read_music(entry, midi)
    return examples_of(entry, music, num_frames), music.key.mode


def examples_of(entry: Entry, music: Music, num_frames: int) -> Examples:
    """The sequences of a piece, as `lesson` has them."""
    targets = sounding_pitches(music)
    before = np.concatenate([np.full_like(targets[:1], np.nan), targets[:-1]])
    return cut(heard_embeddings(entry, music), targets, before, num_frames)


def heard_embeddings(entry: Entry, music: Music) -> NDArray[np.float32]:
    """The embedding of what was heard before each bar: float32[num_bars, 64]."""
    windows = Windows(music.heard_s, music.bpm, music.groove)
    return embed(heard_in(entry, music.notes, music.is_melody, windows)).astype(np.float32)
