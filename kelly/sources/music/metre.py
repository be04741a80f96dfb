"""Bars and beats of a piece, from the time signatures of a file or from annotated beats."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly.runtime.errors import KellyError
from kelly.sources.readers.annotations import read_beats
from kelly.sources.readers.midi import Midi, Notes
from kelly.sources.skipped import NotApplicableError

QUARTERS_PER_BAR = 4  # of 4/4, the only metre with a groove
MAX_BARS = 20_000
EARLY = 0.125  # quarters: notes that begin up to a 32nd before a bar line belong to the next bar


def bar_lines(midi: Midi) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Bar lines up to the end of the last note, float64[num_bars + 1] in quarters, and which bars are full 4/4 bars.

    Every time signature begins a bar. Raises KellyError if there are more than MAX_BARS.
    """
    end = float((midi.notes.onset_quarters + midi.notes.duration_quarters).max())
    starts = midi.time_signatures[:, 0] / midi.ticks_per_quarter
    lengths = 4.0 * midi.time_signatures[:, 1] / midi.time_signatures[:, 2]
    spans = np.diff(np.append(starts, max(end, float(starts[-1]) + 1e-9)))
    counts = np.ceil(spans / lengths - 1e-9).astype(np.int64)
    if (num_bars := counts.sum()) > MAX_BARS:
        raise KellyError(f"{num_bars} bars, expected at most {MAX_BARS}; it is not music, leave it out")
    signature = np.repeat(np.arange(len(counts)), counts)
    in_signature = np.arange(num_bars) - np.repeat(np.cumsum(counts) - counts, counts)
    bars = starts[signature] + lengths[signature] * in_signature
    is_cut = bars + lengths[signature] > np.append(starts, np.inf)[signature + 1] + 1e-9  # by the next time signature
    is_4_4 = (midi.time_signatures[signature, 1:] == 4).all(axis=1) & ~is_cut
    return np.append(bars, bars[-1] + lengths[-1] if counts[-1] else max(end, float(starts[-1]))), is_4_4


def on_beats(path: Path, notes: Notes) -> tuple[Notes, NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Time notes in the beats of an annotation file instead of the quarters of the MIDI file.

    Returns the notes, the bar lines in beats and in seconds, float64[num_bars + 1], and which bars have four beats. The
    tempo before the first beat and after the last is extrapolated. A bar of four beats is added before the first bar
    line, for a pickup, and after the last.
    Raises KellyError as `read_beats`, NotApplicableError if there is no bar line.
    """
    beats_s, begins_bar = read_beats(path)
    numbers = np.arange(len(beats_s), dtype=np.float64)
    onset, end = (_interpolate(x, beats_s, numbers) for x in (notes.onset_s, notes.onset_s + notes.duration_s))
    timed = replace(notes, onset_quarters=onset, duration_quarters=end - onset)
    lines = numbers[begins_bar]
    if not len(lines):
        raise NotApplicableError(f"{path}: no beat begins a bar, expected at least one")
    bars = np.concatenate([[lines[0] - QUARTERS_PER_BAR], lines, [lines[-1] + QUARTERS_PER_BAR]])
    return timed, bars, _interpolate(bars, numbers, beats_s), np.diff(bars) == QUARTERS_PER_BAR


def _interpolate(x: NDArray[np.float64], xp: NDArray[np.float64], fp: NDArray[np.float64]) -> NDArray[np.float64]:
    """As `np.interp`, but continued beyond both ends as between the two points there."""
    before = fp[0] + (x - xp[0]) * (fp[1] - fp[0]) / (xp[1] - xp[0])
    after = fp[-1] + (x - xp[-1]) * (fp[-1] - fp[-2]) / (xp[-1] - xp[-2])
    return np.where(x < xp[0], before, np.where(x > xp[-1], after, np.interp(x, xp, fp)))


def early_edges(bars: NDArray[np.float64], bars_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges of the windows in which the notes of each bar begin, float64[num_bars + 1] in seconds.

    bars, bars_s: float64[num_bars + 1], in quarters and seconds. An edge lies a 32nd before its bar line, or a quarter
    of the bar if that is less.
    """
    before_s = np.minimum(EARLY / np.diff(bars), 0.25) * np.diff(bars_s)
    return bars_s - np.append(before_s[:1], before_s)


def beat_edges(bars: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quarter-note beats of all bars, and the end of the last bar; the first beat of a pickup may be shorter."""
    beats = [np.maximum(end - np.arange(np.ceil(end - start - 1e-6), 0, -1), start) for start, end in pairwise(bars)]
    return np.concatenate([*beats, bars[-1:]])
