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
    if (num_bars := float(np.ceil(spans / lengths - 1e-9).sum())) > MAX_BARS:
        raise KellyError(f"{num_bars:.0f} bars, expected at most {MAX_BARS}; it is not music, leave it out")
    edges: list[NDArray[np.float64]] = []
    is_4_4: list[NDArray[np.bool_]] = []
    for i, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
        n = int(np.ceil(spans[i] / length - 1e-9))
        edges.append(start + length * np.arange(n))
        full = np.full(n, tuple(midi.time_signatures[i, 1:].tolist()) == (4, 4))
        if n and i + 1 < len(starts):  # the last bar before a change may be cut
            full[-1] &= start + n * length <= starts[i + 1] + 1e-9
        is_4_4.append(full)
    closing = edges[-1][-1] + lengths[-1] if len(edges[-1]) else max(end, float(starts[-1]))
    return np.append(np.concatenate(edges), closing), np.concatenate(is_4_4)


def on_beats(path: Path, notes: Notes) -> tuple[Notes, NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Time notes in the beats of an annotation file instead of the quarters of the MIDI file.

    Returns the notes, the bar lines in beats and in seconds, float64[num_bars + 1], and which bars have four beats. The
    tempo before the first beat and after the last is extrapolated. A bar of four beats is added before the first bar
    line, for a pickup, and after the last.
    Raises KellyError as `read_beats`, NotApplicableError if there is no bar line.
    """
    beats_s, begins_bar = read_beats(path)
    numbers = np.arange(len(beats_s), dtype=np.float64)

    def beats(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        inside = np.interp(seconds, beats_s, numbers)
        before = (seconds - beats_s[0]) / (beats_s[1] - beats_s[0])
        after = numbers[-1] + (seconds - beats_s[-1]) / (beats_s[-1] - beats_s[-2])
        return np.where(seconds < beats_s[0], before, np.where(seconds > beats_s[-1], after, inside))

    onset = beats(notes.onset_s)
    timed = replace(notes, onset_quarters=onset, duration_quarters=beats(notes.onset_s + notes.duration_s) - onset)
    lines = numbers[begins_bar]
    if not len(lines):
        raise NotApplicableError(f"{path}: no beat begins a bar, expected at least one")
    bars = np.concatenate([[lines[0] - QUARTERS_PER_BAR], lines, [lines[-1] + QUARTERS_PER_BAR]])
    outside_s = [beats_s[0] + bars[0] * (beats_s[1] - beats_s[0]),
                 beats_s[-1] + (bars[-1] - numbers[-1]) * (beats_s[-1] - beats_s[-2])]  # fmt: skip
    inside_s = np.interp(bars, numbers, beats_s)
    bars_s = np.where(bars < 0, outside_s[0], np.where(bars > numbers[-1], outside_s[1], inside_s))
    return timed, bars, bars_s, np.diff(bars) == QUARTERS_PER_BAR


def early_edges(bars: NDArray[np.float64], bars_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges of the windows in which the notes of each bar begin, float64[num_bars + 1] in seconds.

    bars, bars_s: float64[num_bars + 1], in quarters and seconds. An edge lies a 32nd before its bar line, or a quarter
    of the bar if that is less.
    """
    share = np.minimum(EARLY / np.diff(bars), 0.25)
    before_s = share * np.diff(bars_s)
    return bars_s - np.append(before_s[:1], before_s)


def beat_edges(bars: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quarter-note beats of all bars, and the end of the last bar; the first beat of a pickup may be shorter."""
    beats = [np.maximum(end - np.arange(np.ceil(end - start - 1e-6), 0, -1), start) for start, end in pairwise(bars)]
    return np.concatenate([*beats, bars[-1:]])
