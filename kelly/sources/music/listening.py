"""What a listener knows of a piece before each of its windows: the nine coordinates, from notes that were played."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kelly.features.context import DECAY, heard_before
from kelly.features.emotion import COORDINATES, NUM_COORDINATES
from kelly.sources.layouts.listing import Entry
from kelly.sources.music import tonality
from kelly.sources.music.performance import coordinates_of, heard_coordinates
from kelly.sources.readers.midi import Notes

VALENCE, AROUSAL, LOUDNESS = (COORDINATES.index(name) for name in ("valence", "arousal", "loudness"))
SHORT_S = 0.15  # a note shorter than this is short
ONSET_S = 0.05  # onsets are counted on this grid
OVERHANG_S = 0.0625  # a 32nd at 120 bpm: what a note reaches into the next window by the way it is played
BLOCK_NOTES = 2**16  # looked at together
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
    so_far = _SoFar(len(measured))
    for first, last, window, rows in _sounding(notes, windows.edges_s):
        start_s, end_s = windows.edges_s[window], windows.edges_s[window + 1]
        began = notes.onset_s[rows] >= start_s - 1e-6  # a note counts once, where it begins
        here = _within(notes.take(rows), start_s, end_s)
        so_far.add(here, began, start_s, window)
        where, some = window - first, slice(first, last)
        num_new, num_short = (
            np.bincount(where[counted], minlength=last - first)
            for counted in (began, began & (here.duration_s < SHORT_S))
        )
        short = num_short / np.where(num_new > 0, num_new, np.nan) if short_notes else np.nan
        notes_per_s = num_new / np.diff(windows.edges_s[first : last + 1])
        measured[some] = coordinates_of(here, is_melody[rows], where, notes_per_s, windows.bpm[some], short)
    heard = heard_coordinates(measured, windows.groove, decay)
    heard[:, VALENCE] = so_far.valence(np.diff(windows.edges_s))
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


def _sounding(
    notes: Notes, edges_s: NDArray[np.float64]
) -> Iterator[tuple[int, int, NDArray[np.intp], NDArray[np.intp]]]:
    """Which notes sound in which window, some windows at a time: from first to last, and for each note the window and
    its row, in order. Notes that are held through many windows would fill the memory if all came at once.
    """
    longest_so_far = np.maximum.accumulate(notes.onset_s + notes.duration_s)
    begin = np.searchsorted(longest_so_far, edges_s[:-1])
    numbers = np.maximum(np.searchsorted(notes.onset_s, edges_s[1:] - 1e-6) - begin, 0)
    total = np.cumsum(numbers)
    firsts = np.flatnonzero(np.diff(total // BLOCK_NOTES, prepend=-1))
    for first, last in pairwise([*firsts.tolist(), len(numbers)]):
        some = slice(first, last)
        window = np.repeat(np.arange(first, last), numbers[some])
        rows = np.arange(len(window)) + np.repeat(begin[some] - total[some] + numbers[some], numbers[some])
        rows += total[first] - numbers[first]
        onset_s, start_s = notes.onset_s[rows], edges_s[window]
        least_s = np.where(onset_s < start_s - 1e-6, OVERHANG_S, 1e-6)
        sounds = onset_s + notes.duration_s[rows] > start_s + least_s
        yield first, last, window[sounds], rows[sounds]


def _within(notes: Notes, start_s: NDArray[np.float64], end_s: NDArray[np.float64]) -> Notes:
    """The parts of notes that sound from start to end, float64[n]: what a listener knows at the end."""
    onset_s = notes.onset_s.clip(start_s, end_s)
    duration_s = (notes.onset_s + notes.duration_s).clip(start_s, end_s) - onset_s
    return Notes(**vars(notes) | {"onset_s": onset_s, "duration_s": duration_s})


class _SoFar:
    """What tells the valence of all that was heard: nothing is forgotten, since it is a trait of the piece."""

    def __init__(self, num_windows: int) -> None:
        self.histogram = np.zeros((num_windows, 12))
        self.onsets, self.dissonant, self.pairs = np.zeros((3, num_windows), dtype=np.int64)

    def add(
        self, notes: Notes, began: NDArray[np.bool_], start_s: NDArray[np.float64], window: NDArray[np.intp]
    ) -> None:
        """Add what sounds in some windows: of each note whether it began there, the window and when that starts."""
        num_windows = len(self.onsets)
        self.histogram += tonality.pitch_class_histograms(notes.pitch, notes.duration_s, window, num_windows)
        moments = ((notes.onset_s[began] - start_s[began]) / ONSET_S).round()
        in_order = np.lexsort((moments, window[began]))
        where, moments = window[began][in_order], moments[in_order]
        is_new = (np.diff(where, prepend=-1) > 0) | (np.diff(moments, prepend=-1.0) > 0)
        self.onsets += np.bincount(where[is_new], minlength=num_windows)
        ends_s = notes.onset_s + notes.duration_s
        found = tonality.dissonant_pairs(notes.onset_s, ends_s, notes.pitch, window, num_windows)
        self.dissonant, self.pairs = self.dissonant + found[0], self.pairs + found[1]

    def valence(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Estimated from what was added before each window, float64[num_windows]; seconds: how long they are."""
        histogram, onsets, elapsed, dissonant, pairs = (
            _before(told) for told in (self.histogram, self.onsets, seconds, self.dissonant, self.pairs)
        )
        has_key = np.ptp(histogram, axis=1) > 0
        key = tonality.majorness_and_keyclarity(tonality.key_correlations(histogram[has_key]))
        dissonance = dissonant[has_key] / np.where(pairs > 0, pairs, np.nan)[has_key]
        valence = np.zeros(len(seconds))
        valence[has_key] = tonality.estimated_valence(*key, onsets[has_key] / elapsed[has_key], dissonance)
        return valence


def _before(told: NDArray[Any]) -> NDArray[Any]:
    """The sum of what earlier windows told, for each window."""
    return np.concatenate([np.zeros_like(told[:1]), np.cumsum(told, axis=0)[:-1]])
