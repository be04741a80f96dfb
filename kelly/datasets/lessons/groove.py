"""GroovePredictor's lesson: what was heard before a bar of 4/4, and the timing and accents that it is played with."""

from typing import Literal

import numpy as np

from kelly.datasets.extraction.measured import Rows, single
from kelly.datasets.layouts.listing import Entry
from kelly.datasets.music.drums import MIN_HITS, bars_of
from kelly.datasets.music.listening import UNITS as HEARD_UNITS
from kelly.datasets.music.performance import SIXTEENTHS, heard_coordinates
from kelly.datasets.reading.midi import Midi
from kelly.datasets.skipped import UnsuitedError
from kelly.emotion import BLOCK_SIZE, embed
from kelly.heard import heard_before

UNITS = {"frame": "bar of 4/4"} | HEARD_UNITS | {"valence": "0: drums have none"}

Context = Literal["embedding", "heard"]


def lesson(entry: Entry, midi: Midi, context: Context) -> tuple[Rows, str]:
    """One row a bar of a MIDI file with at least MIN_HITS hits: of its drums, or of all notes where it has none.

    inputs float32[n, 1, 64], the embedding of what was heard before the bar; with context 'heard' its first half gives
    way to the decayed mean of the earlier bars' timing and accents, 0 where none was heard. targets float32[n, 1, 32],
    timing in half sixteenths and accents, each -1..1, masked where nothing was played; heard: the bar before.
    Raises KellyError as `bars_of` does, and UnsuitedError where every note lies on the grid with one velocity.
    """
    bars = bars_of(entry, midi)
    timing, accents = np.nan_to_num(bars.groove[:, :SIXTEENTHS]), np.nan_to_num(bars.groove[:, SIXTEENTHS:])
    if not timing.any() and not accents.any():
        raise UnsuitedError(f"{entry.path}: every note on the grid and as loud as the others, expected a performance")
    inputs = embed(heard_coordinates(bars.coordinates, bars.groove))
    if context == "heard":
        inputs[:, :BLOCK_SIZE] = heard_before(bars.groove)
    return single(inputs, bars.groove, bars.hits >= MIN_HITS), ""
