"""Examples for GroovePredictor: the context of a 4/4 bar, and the timing and accents with which it is played."""

from typing import Literal

import numpy as np

from kelly.features.context import decayed_mean
from kelly.features.emotion import BLOCK_SIZE, embed
from kelly.sources.extraction.sequences import Examples, single_frames
from kelly.sources.layouts.manifest import Entry
from kelly.sources.music.context import CONTEXT_UNITS, apply_ratings, context_coordinates, decayed_context
from kelly.sources.music.drums import MIN_HITS, bars_of
from kelly.sources.music.piece import read_music
from kelly.sources.readers.midi import Midi
from kelly.sources.skipped import NotApplicableError

UNITS = {"frame": "bar of 4/4"} | CONTEXT_UNITS | {"valence": "as rated, −1..1; 0 for drums without a rating"}

Context = Literal["embedding", "previous"]


def extract_examples(entry: Entry, midi: Midi, context: Context) -> tuple[Examples, str]:
    """One row per 4/4 bar with at least MIN_HITS hits: of the drums of a MIDI file, or of all notes if it has none.

    inputs float32[n, 1, 64]: embedding of the context; with context 'previous' its first half is instead the decayed
    mean of the earlier bars' timing and accents, 0 where there is none. targets float32[n, 1, 32]: timing in half
    sixteenths and accents, each -1..1, masked where nothing is played; previous: the last known values.
    Raises KellyError as `bars_of` and `read_music`, NotApplicableError if no bar is in 4/4, or all notes are on the
    grid with the same velocity.
    """
    if midi.notes.is_drum.any():
        bars = bars_of(entry, midi)
        groove, hits = bars.groove, bars.hits
        coordinates = apply_ratings(entry, decayed_context(bars.coordinates, groove), bars.coordinates)
    else:
        music = read_music(entry, midi)
        groove, hits = music.groove, np.diff(np.searchsorted(music.notes.onset_s, music.window_edges_s))
        coordinates = context_coordinates(entry, music)
    is_known = np.isfinite(groove)
    if not is_known.any():
        raise NotApplicableError(f"{entry.path}: no bar in 4/4, expected at least one")
    if not groove[is_known].any():
        raise NotApplicableError(
            f"{entry.path}: all notes are on the grid with the same velocity, expected a performance"
        )
    inputs = embed(coordinates)
    if context == "previous":
        inputs[:, :BLOCK_SIZE] = decayed_mean(groove)
    return single_frames(inputs, groove, (hits >= MIN_HITS) & is_known.any(axis=1)), ""
