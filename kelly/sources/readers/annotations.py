"""Reads the beat and chord annotations of a song, text files in the format of POP909."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly.sources.readers.tables import Table, read_table, to_numbers

ADVICE = "correct the file or download it again"
FIX = "correct these lines or download the file again"
MAX_BYTES = 2**20  # a published file takes up to 20 kB
MAX_S = 86_400  # a day, far beyond any song
OVERLAP_S = 0.001  # of chords, as their times are rounded


def read_beats(path: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Read the beats of a song: float64[num_beats], rising, in seconds; bool[num_beats], whether a beat begins a bar.

    A line has a time, whether the beat begins half a bar, and whether it begins a bar (0 or 1), separated by spaces.
    Raises KellyError, with all errors, if a line is malformed, times do not rise or there are fewer than two beats.
    """
    table = _read(path, "time", "half_bar", "bar")
    times_s = table.numbers("time", -MAX_S, MAX_S)
    table.require(~(np.diff(times_s, prepend=-np.inf) <= 0), "time", "a later time than in the line before")
    half_bar, bar = (to_numbers(table.rows[name]) for name in ("half_bar", "bar"))
    table.require(np.isin(half_bar, (0, 1)), "half_bar", "0 or 1")
    table.require(np.isin(bar, (0, 1)), "bar", "0 or 1")
    table.raise_errors(FIX, min_rows=2)
    return times_s, bar == 1


def read_chords(path: Path) -> list[tuple[float, float, str]]:
    """Read the chords of a song by onset: onset and end in seconds, and the label, such as F#:maj7/5 or N.

    A line has an onset, an end and a label, separated by tabs or spaces.
    Raises KellyError, with all errors, if a line is malformed, chords overlap or end before they begin, or there are
    none.
    """
    table = _read(path, "onset", "end", "chord")
    onset_s, end_s = (table.numbers(name, -MAX_S, MAX_S) for name in ("onset", "end"))
    table.require(~(end_s <= onset_s), "end", "a time after the onset")
    previous_end_s = np.concatenate([[-np.inf], end_s])[: len(onset_s)]
    table.require(~(onset_s < previous_end_s - OVERLAP_S), "onset", "a time after the end of the previous chord")
    table.raise_errors(FIX, min_rows=1)
    return list(zip(onset_s.tolist(), end_s.tolist(), table.rows["chord"], strict=True))


def _read(path: Path, *columns: str) -> Table:
    return read_table(path, columns, ADVICE, separator=None, max_bytes=MAX_BYTES)
