"""What a listener knows of a piece before each of its windows: the nine coordinates, from notes that were played."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kelly.datasets.layouts.listing import Entry
from kelly.datasets.music import tonality
from kelly.datasets.music.performance import coordinates_of, heard_coordinates
from kelly.datasets.reading.midi import Notes
from kelly.emotion import COORDINATES, NUM_COORDINATES
from kelly.heard import DECAY, heard_before

VALENCE, AROUSAL, LOUDNESS = (COORDINATES.index(name) for name in ("valence", "arousal", "loudness"))
SHORT_S = 0.15  # a note shorter than this is short
ONSET_S = 0.05  # onsets are counted on this grid
OVERHANG_S = 0.0625  # a 32nd at 120 bpm: what a note reaches into the next window by the way it is played
FAST_DECAY = 0.5  # of loudness, where a window is not a bar but seconds

UNITS = {
    "valence": "as it was rated, or estimated from all that was heard so far in the piece, −1..1",
    "arousal": f"estimated from what was heard, decayed {DECAY} a window, about what was rated if it was, −1..1",
    "others": f"measured in what was heard, decayed {DECAY} a window; 0 where the source does not tell them",
}


class Windows(NamedTuple):
    """Windows of a piece, one after another.

    edges_s: float64[n + 1], seconds; bpm: float64[n]; groove: float64[n, 32] of `groove_of`, NaN where it is not told
    """

    edges_s: NDArray[np.float64]
    bpm: NDArray[np.float64]
    groove: NDArray[np.float64]


def heard_in(
    entry: Entry,
    notes: Notes,
    is_melody: NDArray[np.bool_],
    windows: Windows,
    *,
    short_notes: bool = True,
    decay: float | NDArray[np.float64] = DECAY,
) -> NDArray[np.float64]:
    """The nine coordinates known before each window: float64[n, 9], row t from what sounded in windows before t.

    notes: pitched, in order of onset, the tonic transposed to C; is_melody: bool[num_notes]. short_notes: whether
    arousal counts short notes (not where they are what is predicted). Ratings count as `rated` says.
    """
    measured = np.full((len(windows.bpm), NUM_COORDINATES), np.nan)
    valence = np.zeros(len(measured))
    so_far = _SoFar()
    longest_so_far = np.maximum.accumulate(notes.onset_s + notes.duration_s) if len(notes) else np.zeros(0)
    for i, (start_s, end_s) in enumerate(pairwise(windows.edges_s)):
        valence[i] = so_far.valence()
        first, last = np.searchsorted(longest_so_far, start_s), np.searchsorted(notes.onset_s, end_s - 1e-6)
        rows = np.arange(first, max(first, last))
        least_s = np.where(notes.onset_s[rows] < start_s - 1e-6, OVERHANG_S, 1e-6)
        rows = rows[notes.onset_s[rows] + notes.duration_s[rows] > start_s + least_s]
        began = notes.onset_s[rows] >= start_s - 1e-6  # a note counts once, where it begins
        here = _within(notes.take(rows), start_s, end_s)
        so_far.add(here, began, start_s, end_s)
        if len(here):
            short = float(np.mean(here.duration_s[began] < SHORT_S)) if short_notes and began.any() else np.nan
            tune, notes_per_s = here.take(is_melody[rows]), began.sum() / (end_s - start_s)
            measured[i] = coordinates_of(here, tune, notes_per_s, windows.bpm[i], short)
    heard = heard_coordinates(measured, windows.groove, decay)
    heard[:, VALENCE] = valence
    return rated(entry, heard, measured)


def rated(entry: Entry, heard: NDArray[np.float64], measured: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is known before each window of a piece that listeners may have rated: float64[n, 9].

    heard: as estimated; measured: float64[n, 9], what each window told. A rated valence is known from the start; rated
    arousal is where the estimate starts from and moves about, by its distance from the mean of all that was heard.
    """
    known = heard.copy()
    if entry.valence is not None:
        known[:, VALENCE] = entry.valence
    if entry.arousal is not None:
        known[:, AROUSAL] += entry.arousal - heard_before(measured[:, [AROUSAL]], decay=1.0)[:, 0]
    return np.clip(known, -1.0, 1.0)


def _within(notes: Notes, start_s: float, end_s: float) -> Notes:
    """The parts of notes that sound from start to end: what a listener knows at the end."""
    onset_s = notes.onset_s.clip(start_s, end_s)
    duration_s = (notes.onset_s + notes.duration_s).clip(start_s, end_s) - onset_s
    return Notes(**vars(notes) | {"onset_s": onset_s, "duration_s": duration_s})


class _SoFar:
    """What tells the valence of all that was heard: nothing is forgotten, since it is a trait of the piece."""

    def __init__(self) -> None:
        self.histogram = np.zeros(12)
        self.onsets, self.seconds, self.dissonant, self.pairs = 0, 0.0, 0, 0

    def add(self, notes: Notes, began: NDArray[np.bool_], start_s: float, end_s: float) -> None:
        self.histogram += tonality.pitch_class_histogram(notes.pitch, notes.duration_s)
        self.onsets += len(np.unique(((notes.onset_s[began] - start_s) / ONSET_S).round()))
        self.seconds += end_s - start_s
        dissonant, pairs = tonality.dissonant_pairs(notes.onset_s, notes.onset_s + notes.duration_s, notes.pitch)
        self.dissonant, self.pairs = self.dissonant + dissonant, self.pairs + pairs

    def valence(self) -> float:
        if not np.ptp(self.histogram) > 0:
            return 0.0
        key = tonality.find_key(self.histogram)
        dissonance = self.dissonant / self.pairs if self.pairs else np.nan
        return tonality.estimated_valence(key.majorness, key.keyclarity, self.onsets / self.seconds, dissonance)
