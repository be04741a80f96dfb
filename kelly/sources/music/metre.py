"""Where bars and beats lie: by the time signatures of a file, or by an annotation of the beats that are heard."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly.runtime.errors import KellyError
from kelly.sources.layouts.pop909 import read_beats
from kelly.sources.readers.midi import Midi, Notes
from kelly.sources.skipped import NotApplicableError

QUARTERS_PER_BAR = 4  # of 4/4, the metre that the groove is told in
MAX_BARS = 20_000
EARLY = 0.125  # quarters


def bar_lines(midi: Midi) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Bar lines up to the end of the last note: quarters, float64[num_bars + 1], and which bars are whole ones of 4/4.

    A time signature begins a bar, wherever it stands. Raises KellyError where there are more than MAX_BARS.
    """
    end = float((midi.notes.onset_quarters + midi.notes.duration_quarters).max())
    starts = midi.time_signatures[:, 0] / midi.ticks_per_quarter
    lengths = 4.0 * midi.time_signatures[:, 1] / midi.time_signatures[:, 2]
    spans = np.diff(np.append(starts, max(end, float(starts[-1]) + 1e-9)))
    if (num_bars := float(np.ceil(spans / lengths - 1e-9).sum())) > MAX_BARS:
        raise KellyError(f"{num_bars:.0f} bars, expected at most {MAX_BARS}; it is no music, leave it out")
    edges: list[NDArray[np.float64]] = []
    common: list[NDArray[np.bool_]] = []
    for i, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
        n = int(np.ceil(spans[i] / length - 1e-9))
        edges.append(start + length * np.arange(n))
        whole = np.full(n, tuple(midi.time_signatures[i, 1:].tolist()) == (4, 4))
        if n and i + 1 < len(starts):  # the last bar before a change may be cut
            whole[-1] &= start + n * length <= starts[i + 1] + 1e-9
        common.append(whole)
    closing = edges[-1][-1] + lengths[-1] if len(edges[-1]) else max(end, float(starts[-1]))
    return np.append(np.concatenate(edges), closing), np.concatenate(common)


def on_beats(path: Path, notes: Notes) -> tuple[Notes, NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Notes timed in annotated beats instead of the file's quarters; bars in beats and seconds, which have four beats.

    Before the first beat and after the last the tempo goes on as it is there; a bar of four beats before the first bar
    line takes up a pickup, one after the last what follows it.
    """
    beats_s, begins_bar = read_beats(path)
    at = np.arange(len(beats_s), dtype=np.float64)

    def beats(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        inside = np.interp(seconds, beats_s, at)
        before = (seconds - beats_s[0]) / (beats_s[1] - beats_s[0])
        after = at[-1] + (seconds - beats_s[-1]) / (beats_s[-1] - beats_s[-2])
        return np.where(seconds < beats_s[0], before, np.where(seconds > beats_s[-1], after, inside))

    onset = beats(notes.onset_s)
    timed = replace(notes, onset_quarters=onset, duration_quarters=beats(notes.onset_s + notes.duration_s) - onset)
    lines = at[begins_bar]
    if not len(lines):
        raise NotApplicableError(f"{path}: no beat begins a bar")
    bars = np.concatenate([[lines[0] - QUARTERS_PER_BAR], lines, [lines[-1] + QUARTERS_PER_BAR]])
    outside_s = [beats_s[0] + bars[0] * (beats_s[1] - beats_s[0]),
                 beats_s[-1] + (bars[-1] - at[-1]) * (beats_s[-1] - beats_s[-2])]  # fmt: skip
    bars_s = np.where(bars < 0, outside_s[0], np.where(bars > at[-1], outside_s[1], np.interp(bars, at, beats_s)))
    return timed, bars, bars_s, np.diff(bars) == QUARTERS_PER_BAR


def early_edges(bars: NDArray[np.float64], bars_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Moments in seconds, float64[num_bars + 1], from which on a note is of the bar that it leads into.

    bars, bars_s: float64[num_bars + 1], quarters and seconds. A 32nd before each line, at most a quarter of the bar.
    """
    share = np.minimum(EARLY / np.diff(bars), 0.25)
    before_s = share * np.diff(bars_s)
    return bars_s - np.append(before_s[:1], before_s)


def beat_edges(bars: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the quarter notes of every bar begin, and the last bar's end; a pickup's first beat may be shorter."""
    beats = [np.maximum(end - np.arange(np.ceil(end - start - 1e-6), 0, -1), start) for start, end in pairwise(bars)]
    return np.concatenate([*beats, bars[-1:]])
