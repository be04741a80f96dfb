"""How a passage was played: its sixteen expression parameters, its groove and the coordinates that a listener hears.

The formulas are this project's, documented in docs/data.md; units and scales are part of the contract.
"""

import numpy as np
from numpy.typing import NDArray

from kelly.features.context import DECAY, heard_before
from kelly.features.emotion import COORDINATES
from kelly.sources.music.tonality import estimated_arousal
from kelly.sources.readers.midi import Notes

# The sixteen expression parameters and their units; each is clipped to 0..1.
DYNAMICS: tuple[tuple[str, str], ...] = (
    ("mean_velocity", "velocity / 127"),
    ("velocity_sd", "2 velocity / 127"),
    ("velocity_range", "(95 % quantile - 5 % quantile) / 127"),
    ("loud_velocity", "95 % quantile / 127"),
    ("soft_velocity", "5 % quantile / 127"),
    ("crescendo", "0.5 + 0.5 (second half - first half) / 32 velocity"),
    ("high_accent", "0.5 + 0.5 (highest-pitched quarter - mean) / 32 velocity"),
    ("low_accent", "0.5 + 0.5 (lowest-pitched quarter - mean) / 32 velocity"),
    ("soft_share", "share of notes below 0.75 of the mean velocity"),
    ("loud_share", "share of notes above 1.25 of the mean velocity"),
    ("articulation", "median (duration / gap to the next onset) / 2"),
    ("articulation_sd", "sd (duration / gap to the next onset) / 1.5"),
    ("chord_spread", "mean onset spread of chords / 50 ms"),
    ("rhythm_sd", "sd of log2 inter-onset interval / 2"),
    ("velocity_step", "mean change from note to note / 64 velocity"),
    ("pitch_velocity", "0.5 + 0.5 correlation of pitch and velocity"),
)
# On drums pitch is not height: three parameters say the accents of the bar instead.
DRUM_DYNAMICS: tuple[tuple[str, str], ...] = tuple(
    {
        "high_accent": ("downbeat_accent", "0.5 + 0.5 (quarters 1 and 3 - mean) / 32 velocity"),
        "low_accent": ("backbeat_accent", "0.5 + 0.5 (quarters 2 and 4 - mean) / 32 velocity"),
        "pitch_velocity": ("offbeat_accent", "0.5 + 0.5 (eighths between the quarters - mean) / 32 velocity"),
    }.get(name, (name, unit))
    for name, unit in DYNAMICS
)

SIXTEENTHS = 16  # in a 4/4 bar
CHORD_S = 0.05  # onsets no further than this behind a chord's first belong to it
VELOCITY_SPAN = 32.0  # an accent or a crescendo of so much is 0 or 1

DOWNBEATS, BACKBEATS, OFFBEATS, BEATS = (0, 8), (4, 12), (2, 6, 10, 14), (0, 4, 8, 12)


def dynamics_of(notes: Notes, middle_s: float) -> NDArray[np.float64]:
    """Measure the sixteen parameters of DYNAMICS in the notes of one window that is halved at `middle_s`.

    Returns float64[16], each 0..1, NaN where the notes do not tell: no notes, no second pitch, an empty half.
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

    sixteenth: int64[n], 0..15, the position that each hit is nearest to; it also tells the half of the bar.
    Returns float64[16], each 0..1, NaN where the hits do not tell.
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
    held, _ = articulations(notes)
    if len(held):
        m[10], m[11] = np.median(held) / 2.0, held.std() / 1.5
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
    """Mark the notes that begin a chord: those more than CHORD_S behind the first note of the chord before.

    onset_s: float64[n], rising, within each window if there are several; window: int[n], rising.
    Returns bool[n], the first of a window always true.
    """
    first = np.zeros(len(onset_s), dtype=np.bool_)
    at, here = -np.inf, -1
    windows = np.zeros(len(onset_s), dtype=np.intp) if window is None else window
    for i, (onset, its) in enumerate(zip(onset_s.tolist(), windows.tolist(), strict=True)):
        if its != here or onset - at > CHORD_S:
            first[i], at, here = True, onset, its
    return first


def articulations(notes: Notes, window: NDArray[np.intp] | None = None) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Duration / gap to the next onset of each note that has one in its window (not those of the last chord): 1 is
    legato. Returns float64[k], and of each the window, int[k]; all notes are of one where `window`, int[n], is None.
    """
    window = np.zeros(len(notes), dtype=np.intp) if window is None else window
    first = chord_starts(notes.onset_s, window)
    gaps = np.diff(notes.onset_s[first], append=np.nan)
    gaps[np.diff(window[first], append=-1) != 0] = np.nan
    held = notes.duration_s / gaps[np.cumsum(first) - 1]
    followed = np.isfinite(held)
    return held[followed], window[followed]


def groove_of(sixteenths: NDArray[np.float64], velocity: NDArray[np.int64]) -> NDArray[np.float64]:
    """Measure timing and accents of the hits of one 4/4 bar at its sixteen positions.

    sixteenths: float64[n], time from the bar's first beat in sixteenths, -0.5..15.5; velocity: int64[n], 1..127
    Returns float64[32], each -1..1, NaN where nothing was played: [0:16] offset 2·(t − position), so half a sixteenth
    late is 1; [16:32] accent, mean velocity at the position / mean velocity of the bar − 1.
    """
    position = nearest(sixteenths)
    hits = np.bincount(position, minlength=SIXTEENTHS)
    played = np.where(hits > 0, hits, np.nan)
    offset = np.bincount(position, 2.0 * (sixteenths - position), minlength=SIXTEENTHS) / played
    level = np.bincount(position, velocity, minlength=SIXTEENTHS) / played
    return np.concatenate([offset, np.clip(level / velocity.mean() - 1.0, -1.0, 1.0)])


def nearest(sixteenths: NDArray[np.float64]) -> NDArray[np.int64]:
    """The position that a time is nearest to; exactly between two it is the later one."""
    return np.asarray(np.floor(sixteenths + 0.5), dtype=np.int64)


def coordinates_of(
    notes: Notes,
    is_tune: NDArray[np.bool_],
    window: NDArray[np.intp],
    notes_per_s: NDArray[np.float64],
    bpm: NDArray[np.float64],
    short_share: NDArray[np.float64] | float = np.nan,
) -> NDArray[np.float64]:
    """Measure how the notes of each of n windows sound, in the order of COORDINATES.

    is_tune: bool[num_notes], those of the melody; window: int[num_notes], of each note, rising, in which they are in
    order of onset; notes_per_s: float64[n], how many begin; bpm: float64[n], beats a minute; short_share: float64[n],
    as `estimated_arousal` has it.
    Returns float64[n, 9], each -1..1, NaN where the notes do not tell (velocity 0: not known). Valence is never told
    here (a trait of the piece); push, swing and beat come from `groove_of`. Arousal is estimated.
    """
    n = len(bpm)
    c = {name: np.full(n, np.nan) for name in COORDINATES}
    number = np.bincount(window, minlength=n)
    c["arousal"] = np.where(number > 0, estimated_arousal(notes_per_s, bpm, short_share), np.nan)
    velocity = _means(notes.velocity, window, n)
    deviation = np.sqrt(_means((notes.velocity - velocity[window]) ** 2, window, n))
    is_played = velocity > 0
    c["loudness"] = np.where(is_played, (velocity - 63.5) / 40.0, np.nan)
    c["spread"] = np.where(is_played, np.log2((deviation + 1.0) / 16.0) / 1.5, np.nan)
    tune, of_tune = notes.take(is_tune), window[is_tune]
    c["register"] = (_means(tune.pitch, of_tune, n) - 67.0) / 12.0
    c["articulation"] = np.log2(np.maximum(_medians(*articulations(tune, of_tune), n), 0.25)) / 2.0
    return np.stack(list(c.values()), axis=1).clip(-1.0, 1.0)


def _means(values: NDArray[np.float64] | NDArray[np.int64], window: NDArray[np.intp], n: int) -> NDArray[np.float64]:
    """The mean of the values of each of n windows; NaN where there is none."""
    number = np.bincount(window, minlength=n)
    return np.asarray(np.bincount(window, values, minlength=n) / np.where(number > 0, number, np.nan))


def _medians(values: NDArray[np.float64], window: NDArray[np.intp], n: int) -> NDArray[np.float64]:
    """The median of the values of each of n windows; NaN where there is none. window: rising."""
    ordered = values[np.lexsort((values, window))]
    number = np.bincount(window, minlength=n)
    first = np.cumsum(number) - number
    found, told = np.full(n, np.nan), number > 0
    low, high = (ordered[(first + middle)[told]] for middle in ((number - 1) // 2, number // 2))
    found[told] = (low + high) / 2.0
    return found


def heard_coordinates(
    coordinates: NDArray[np.float64], groove: NDArray[np.float64], decay: float | NDArray[np.float64] = DECAY
) -> NDArray[np.float64]:
    """What was heard before each window: the decayed mean of the earlier ones, neutral (0) where nothing was heard.

    coordinates: float64[n, 9] of `coordinates_of`; groove: float64[n, 32] of `groove_of` (NaN rows where there is no
    beat); decay: of a window, for each coordinate if they differ. Push, swing and beat: each position fades by its own
    hits, by DECAY, then the positions heard so far are averaged.
    Returns float64[n, 9], each -1..1; row t knows rows 0 … t−1 only.
    """
    n = coordinates.shape[1]
    told = np.concatenate([coordinates, groove, np.isfinite(groove)], axis=1)
    decays = np.append(np.broadcast_to(decay, n), np.full(told.shape[1] - n, DECAY))
    heard, grid, is_heard = np.split(heard_before(told, decays), [n, n + groove.shape[1]], axis=1)
    grid = np.where(is_heard == 0.0, np.nan, grid)
    offset, accent = grid[:, :SIXTEENTHS], grid[:, SIXTEENTHS:]
    heard[:, COORDINATES.index("push")] = 2.0 * _mean(offset)
    heard[:, COORDINATES.index("swing")] = _lean(offset, OFFBEATS, BEATS)
    heard[:, COORDINATES.index("beat")] = _lean(accent, BEATS, OFFBEATS)
    return np.clip(heard, -1.0, 1.0)


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the positions that are known, 0 where none is."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(known.sum(axis=1), 1))


def _lean(grid: NDArray[np.float64], up: tuple[int, ...], down: tuple[int, ...]) -> NDArray[np.float64]:
    """Mean at the positions `up` minus that at `down`, 0 where either is unknown."""
    told = np.isfinite(grid[:, up]).any(axis=1) & np.isfinite(grid[:, down]).any(axis=1)
    return np.where(told, _mean(grid[:, up]) - _mean(grid[:, down]), 0.0)
