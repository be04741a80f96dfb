"""Measurements of how a passage is played: its sixteen expression parameters, its groove and its coordinates.

The formulas are this project's, documented in docs/data.md; units and scales are part of the contract.
"""

import numpy as np
from numpy.typing import NDArray

from kelly.features.emotion import COORDINATES
from kelly.features.vocabulary import DYNAMICS
from kelly.sources.music.tonality import estimated_arousal
from kelly.sources.readers.midi import Notes

SIXTEENTHS = 16  # in a 4/4 bar
CHORD_S = 0.05  # onsets up to this long after a chord's first belong to it
VELOCITY_SPAN = 32.0  # an accent or a crescendo of ±32 velocity is 0 or 1

DOWNBEATS, BACKBEATS, OFFBEATS, BEATS = (0, 8), (4, 12), (2, 6, 10, 14), (0, 4, 8, 12)


def dynamics_of(notes: Notes, middle_s: float) -> NDArray[np.float64]:
    """Measure the sixteen parameters of DYNAMICS in the notes of one window; `middle_s` is the middle of the window.

    Returns float64[16], each 0..1, NaN where undefined: no notes, a single pitch, an empty half.
    """
    low, high = np.quantile(notes.pitch, [0.25, 0.75]) if len(notes) else (0.0, 0.0)
    m = _expression(notes, notes.onset_s >= middle_s)
    if low < high:
        m[6] = _contrast(notes, notes.pitch >= high)
        m[7] = _contrast(notes, notes.pitch <= low)
    if len(notes) and np.ptp(notes.pitch) > 0 and np.ptp(notes.velocity) > 0:
        m[15] = 0.5 + 0.5 * np.corrcoef(notes.pitch, notes.velocity)[0, 1]
    return np.clip(m, 0.0, 1.0)


def drum_dynamics_of(notes: Notes, sixteenth: NDArray[np.int64]) -> NDArray[np.float64]:
    """Measure the sixteen parameters of DRUM_DYNAMICS in the hits of one 4/4 bar.

    sixteenth: int64[n], 0..15, the nearest position of each hit; from 8 on a hit is in the second half of the bar.
    Returns float64[16], each 0..1, NaN where undefined.
    """
    m = _expression(notes, sixteenth >= SIXTEENTHS // 2)
    for i, positions in ((6, DOWNBEATS), (7, BACKBEATS), (15, OFFBEATS)):
        m[i] = _contrast(notes, np.isin(sixteenth, positions))
    return np.clip(m, 0.0, 1.0)


def _expression(notes: Notes, second_half: NDArray[np.bool_]) -> NDArray[np.float64]:
    m = np.full(len(DYNAMICS), np.nan)
    if not len(notes):
        return m
    velocity = notes.velocity.astype(np.float64)
    mean = velocity.mean()
    soft, loud = np.quantile(velocity, [0.05, 0.95])
    m[:5] = np.array([mean, 2.0 * velocity.std(), loud - soft, loud, soft]) / 127.0
    if second_half.any() and not second_half.all():
        m[5] = 0.5 + 0.5 * (velocity[second_half].mean() - velocity[~second_half].mean()) / VELOCITY_SPAN
    m[8], m[9] = (velocity < 0.75 * mean).mean(), (velocity > 1.25 * mean).mean()
    ratios, _ = articulations(notes)
    if len(ratios):
        m[10], m[11] = np.median(ratios) / 2.0, ratios.std() / 1.5
    starts = np.flatnonzero(chord_starts(notes.onset_s))
    if len(starts) > 2:
        m[13] = np.log2(np.diff(notes.onset_s[starts])).std() / 2.0
    spread = np.maximum.reduceat(notes.onset_s, starts) - notes.onset_s[starts]
    is_chord = np.diff(np.append(starts, len(notes))) > 1
    if is_chord.any():
        m[12] = spread[is_chord].mean() / CHORD_S
    if len(notes) > 1:
        m[14] = np.abs(np.diff(velocity)).mean() / 64.0
    return m


def _contrast(notes: Notes, accented: NDArray[np.bool_]) -> float:
    if not accented.any():
        return float("nan")
    return float(0.5 + 0.5 * (notes.velocity[accented].mean() - notes.velocity.mean()) / VELOCITY_SPAN)


def chord_starts(onset_s: NDArray[np.float64], window: NDArray[np.intp] | None = None) -> NDArray[np.bool_]:
    """Mark the notes that begin a chord: those more than CHORD_S after the first note of the previous chord.

    onset_s: float64[n], rising within each window; window: int[n], rising; None: one window.
    Returns bool[n], true for the first note of each window.
    """
    is_start = np.zeros(len(onset_s), dtype=np.bool_)
    start, current = -np.inf, -1
    windows = np.zeros(len(onset_s), dtype=np.intp) if window is None else window
    for i, (onset, number) in enumerate(zip(onset_s.tolist(), windows.tolist(), strict=True)):
        if number != current or onset - start > CHORD_S:
            is_start[i], start, current = True, onset, number
    return is_start


def articulations(notes: Notes, window: NDArray[np.intp] | None = None) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Duration / gap to the next onset, 1 being legato, of each note but those of the last chord of a window.

    window: int[n], rising, of each note; None: one window. Returns float64[k] and the window of each, int[k].
    """
    window = np.zeros(len(notes), dtype=np.intp) if window is None else window
    is_start = chord_starts(notes.onset_s, window)
    gaps = np.diff(notes.onset_s[is_start], append=np.nan)
    gaps[np.diff(window[is_start], append=-1) != 0] = np.nan
    ratios = notes.duration_s / gaps[np.cumsum(is_start) - 1]
    has_next = np.isfinite(ratios)
    return ratios[has_next], window[has_next]


def groove_of(sixteenths: NDArray[np.float64], velocity: NDArray[np.int64]) -> NDArray[np.float64]:
    """Measure timing and accents of the hits of one 4/4 bar at its sixteen positions.

    sixteenths: float64[n], time from the bar's first beat in sixteenths, -0.5..15.5; velocity: int64[n], 1..127
    Returns float64[32], each -1..1, NaN where nothing is played: [0:16] offset 2·(t − position), 1 being half a
    sixteenth late; [16:32] accent, mean velocity at the position / mean velocity of the bar − 1.
    """
    position = nearest(sixteenths)
    hits = np.bincount(position, minlength=SIXTEENTHS)
    played = np.where(hits > 0, hits, np.nan)
    offset = np.bincount(position, 2.0 * (sixteenths - position), minlength=SIXTEENTHS) / played
    level = np.bincount(position, velocity, minlength=SIXTEENTHS) / played
    return np.concatenate([offset, np.clip(level / velocity.mean() - 1.0, -1.0, 1.0)])


def nearest(sixteenths: NDArray[np.float64]) -> NDArray[np.int64]:
    """Nearest position of each time; the later one in a tie."""
    return np.asarray(np.floor(sixteenths + 0.5), dtype=np.int64)


def coordinates_of(
    notes: Notes,
    is_melody: NDArray[np.bool_],
    window: NDArray[np.intp],
    notes_per_s: NDArray[np.float64],
    bpm: NDArray[np.float64],
    short_share: NDArray[np.float64] | float = np.nan,
) -> NDArray[np.float64]:
    """Measure the coordinates of the notes of n windows, in the order of COORDINATES.

    is_melody: bool[num_notes]; window: int[num_notes], of each note, rising, with rising onsets in each window;
    notes_per_s: float64[n], onsets per second; bpm: float64[n]; short_share: float64[n], as in `estimated_arousal`.
    Returns float64[n, 9], each -1..1, NaN where undefined (velocity 0 is unknown). Valence is always NaN, as it is a
    trait of the piece; push, swing and beat are NaN, as they follow from `groove_of`. Arousal is estimated.
    """
    n = len(bpm)
    c = {name: np.full(n, np.nan) for name in COORDINATES}
    number = np.bincount(window, minlength=n)
    c["arousal"] = np.where(number > 0, estimated_arousal(notes_per_s, bpm, short_share), np.nan)
    velocity = _means(notes.velocity, window, n)
    deviation = np.sqrt(_means((notes.velocity - velocity[window]) ** 2, window, n))
    is_known = velocity > 0
    c["loudness"] = np.where(is_known, (velocity - 63.5) / 40.0, np.nan)
    c["spread"] = np.where(is_known, np.log2((deviation + 1.0) / 16.0) / 1.5, np.nan)
    melody, melody_window = notes.take(is_melody), window[is_melody]
    c["register"] = (_means(melody.pitch, melody_window, n) - 67.0) / 12.0
    c["articulation"] = np.log2(np.maximum(_medians(*articulations(melody, melody_window), n), 0.25)) / 2.0
    return np.stack(list(c.values()), axis=1).clip(-1.0, 1.0)


def _means(values: NDArray[np.float64] | NDArray[np.int64], window: NDArray[np.intp], n: int) -> NDArray[np.float64]:
    """Mean of the values of each of n windows; NaN where there is none."""
    number = np.bincount(window, minlength=n)
    return np.asarray(np.bincount(window, values, minlength=n) / np.where(number > 0, number, np.nan))


def _medians(values: NDArray[np.float64], window: NDArray[np.intp], n: int) -> NDArray[np.float64]:
    """Median of the values of each of n windows; NaN where there is none. window: rising."""
    windows = np.split(values, np.searchsorted(window, np.arange(1, n)))
    return np.array([np.median(in_window) if len(in_window) else np.nan for in_window in windows])
