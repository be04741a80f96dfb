"""GroovePredictor's lesson: what was heard before a bar of 4/4, and the timing and accents that it is played with."""

from typing import Literal

import numpy as np

from kelly.features.context import heard_before
from kelly.features.emotion import BLOCK_SIZE, embed
from kelly.sources.extraction.rows import Examples, single
from kelly.sources.layouts.listing import Entry
from kelly.sources.music.drums import MIN_HITS, bars_of
from kelly.sources.music.listening import UNITS as HEARD_UNITS
from kelly.sources.music.listening import Windows, heard_in, rated
from kelly.sources.music.performance import heard_coordinates
from kelly.sources.music.piece import read_music
from kelly.sources.readers.midi import Midi
from kelly.sources.skipped import NotApplicableError

UNITS = {"frame": "bar of 4/4"} | HEARD_UNITS | {"valence": "as it was rated; drums have none: 0"}

Context = Literal["embedding", "previous"]


def extract_examples(entry: Entry, midi: Midi, context: Context) -> tuple[Examples, str]:
    """One row a bar of a MIDI file with at least MIN_HITS hits: of its drums, or of all notes where it has none.

    inputs float32[n, 1, 64], the embedding of what was heard before the bar; with context 'previous' its first half gives
    way to the decayed mean of the earlier bars' timing and accents, 0 where none was heard. targets float32[n, 1, 32],
    timing in half sixteenths and accents, each -1..1, masked where nothing was played; heard: what was last told.
    Raises KellyError as `bars_of` and `read_music` do, and NotApplicableError where no bar is in 4/4, or every note lies on
    the grid with one velocity.
    """
    if midi.notes.is_drum.any():
        bars = bars_of(entry, midi)
        groove, hits = bars.groove, bars.hits
        heard = rated(entry, heard_coordinates(bars.coordinates, groove), bars.coordinates)
    else:
        music = read_music(entry, midi)
        groove, hits = music.groove, np.diff(np.searchsorted(music.notes.onset_s, music.heard_s))
        heard = heard_in(entry, music.notes, music.is_melody, Windows(music.heard_s, music.bpm, groove))
    if not np.isfinite(groove).any():
        raise NotApplicableError(f"{entry.path}: no bar in 4/4")
    if not np.nan_to_num(groove).any():
        raise NotApplicableError(
            f"{entry.path}: every note on the grid and as loud as the others, expected a performance"
        )
    inputs = embed(heard)
    if context == "previous":
        inputs[:, :BLOCK_SIZE] = heard_before(groove)
    return single(inputs, groove, (hits >= MIN_HITS) & np.isfinite(groove).any(axis=1)), ""
