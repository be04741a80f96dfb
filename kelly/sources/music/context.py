"""The nine emotion coordinates of the context: the music before each window of a piece, measured in played notes."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kelly.features.context import DECAY, decayed_mean
from kelly.features.emotion import COORDINATES, NUM_COORDINATES, embed
from kelly.sources.layouts.manifest import Entry
from kelly.sources.music import tonality
from kelly.sources.music.performance import BEATS, OFFBEATS, SIXTEENTHS, coordinates_of
from kelly.sources.music.piece import Music
from kelly.sources.readers.midi import Notes

VALENCE, AROUSAL, LOUDNESS = (COORDINATES.index(name) for name in ("valence", "arousal", "loudness"))
SHORT_S = 0.15  # a note below this duration is short
ONSET_S = 0.05  # grid on which onsets are counted
OVERHANG_S = 0.0625  # a 32nd at 120 bpm: legato notes may reach this far into the next window
BLOCK_NOTES = 2**16  # processed at once
FAST_DECAY = 0.5  # of loudness, where a window is some seconds and not a bar

CONTEXT_UNITS = {
    "valence": "as rated, or estimated from all the music before, −1..1",
    "arousal": f"estimated from the music before, decayed {DECAY} per window, relative to the rating if any, −1..1",
    "others": f"measured in the music before, decayed {DECAY} per window; 0 where the source does not contain them",
}


def context_embeddings(entry: Entry, music: Music) -> NDArray[np.float32]:
    """Embedding of the context of each window: float32[n, 64]."""
    return embed(context_coordinates(entry, music)).astype(np.float32)


def context_coordinates(
    entry: Entry, music: Music, *, short_notes: bool = True, decay: float | NDArray[np.float64] = DECAY
) -> NDArray[np.float64]:
    """The nine coordinates of the context of each window: float64[n, 9], row t from the windows before t.

    short_notes: whether the share of short notes counts for arousal; False where durations are the target.
    Ratings of the entry count as in `apply_ratings`.
    """
    notes, edges_s = music.notes, music.window_edges_s
    measured = np.full((music.num_bars, NUM_COORDINATES), np.nan)
    sums = np.zeros((music.num_bars, 15))
    for first, last, window, rows in _sounding(notes, edges_s):
        start_s, end_s = edges_s[window], edges_s[window + 1]
        is_onset = notes.onset_s[rows] >= start_s - 1e-6  # a note counts once, in the window in which it begins
        played = notes.take(rows)
        onset_s, offset_s = (t.clip(start_s, end_s) for t in (played.onset_s, played.onset_s + played.duration_s))
        clipped = replace(played, onset_s=onset_s, duration_s=offset_s - onset_s)  # what is known at the window's end
        sums += _valence_sums(clipped, is_onset, start_s, window, music.num_bars)
        in_block, block = window - first, slice(first, last)
        num_onsets = np.bincount(in_block[is_onset], minlength=last - first)
        num_short = np.bincount(in_block[is_onset & (clipped.duration_s < SHORT_S)], minlength=last - first)
        short_share = num_short / np.where(num_onsets > 0, num_onsets, np.nan) if short_notes else np.nan
        notes_per_s = num_onsets / np.diff(edges_s[first : last + 1])
        is_melody = music.is_melody[rows]
        measured[block] = coordinates_of(clipped, is_melody, in_block, notes_per_s, music.bpm[block], short_share)
    context = decayed_context(measured, music.groove, decay)
    context[:, VALENCE] = _valence(sums, np.diff(edges_s))
    return apply_ratings(entry, context, measured)


def decayed_context(
    coordinates: NDArray[np.float64], groove: NDArray[np.float64], decay: float | NDArray[np.float64] = DECAY
) -> NDArray[np.float64]:
    """Decayed mean of the earlier windows, 0 (neutral) where there is none: float64[n, 9], each -1..1.

    coordinates: float64[n, 9] of `coordinates_of`; groove: float64[n, 32] of `groove_of`, NaN rows where there is no
    beat; decay: per window, a scalar or one per coordinate. Push, swing and beat: the mean of each position decays by
    DECAY with the bars in which it was played, then the known positions are averaged.
    """
    n = coordinates.shape[1]
    values = np.concatenate([coordinates, groove, np.isfinite(groove)], axis=1)
    decays = np.append(np.broadcast_to(decay, n), np.full(values.shape[1] - n, DECAY))
    context, grid, was_played = np.split(decayed_mean(values, decays), [n, n + groove.shape[1]], axis=1)
    grid = np.where(was_played == 0.0, np.nan, grid)
    offset, accent = grid[:, :SIXTEENTHS], grid[:, SIXTEENTHS:]
    context[:, COORDINATES.index("push")] = 2.0 * _mean(offset)
    context[:, COORDINATES.index("swing")] = _difference(offset, OFFBEATS, BEATS)
    context[:, COORDINATES.index("beat")] = _difference(accent, BEATS, OFFBEATS)
    return np.clip(context, -1.0, 1.0)


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each row without its NaN values; 0 where all are NaN."""
    is_known = np.isfinite(values)
    total = np.where(is_known, values, 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(is_known.sum(axis=1), 1))


def _difference(grid: NDArray[np.float64], plus: tuple[int, ...], minus: tuple[int, ...]) -> NDArray[np.float64]:
    """Mean at the positions `plus` less the mean at `minus`; 0 where either is unknown."""
    is_known = np.isfinite(grid[:, plus]).any(axis=1) & np.isfinite(grid[:, minus]).any(axis=1)
    return np.where(is_known, _mean(grid[:, plus]) - _mean(grid[:, minus]), 0.0)


def apply_ratings(entry: Entry, context: NDArray[np.float64], measured: NDArray[np.float64]) -> NDArray[np.float64]:
    """Context of a piece with its listeners' ratings, if any: float64[n, 9].

    context: as estimated; measured: float64[n, 9], of each window itself. A rated valence replaces the estimate. A
    rated arousal replaces its long-term mean: the estimate moves around it by its distance from the mean of all
    earlier windows.
    """
    result = context.copy()
    if entry.valence is not None:
        result[:, VALENCE] = entry.valence
    if entry.arousal is not None:
        result[:, AROUSAL] += entry.arousal - decayed_mean(measured[:, [AROUSAL]], decay=1.0)[:, 0]
    return np.clip(result, -1.0, 1.0)


def _sounding(
    notes: Notes, edges_s: NDArray[np.float64]
) -> Iterator[tuple[int, int, NDArray[np.intp], NDArray[np.intp]]]:
    """Which notes sound in which window: for a block of windows its first and last, then the window and the row of each
    sounding note, in order. In blocks, as notes held through many windows would fill the memory.
    """
    longest_so_far = np.maximum.accumulate(notes.onset_s + notes.duration_s)
    begin = np.searchsorted(longest_so_far, edges_s[:-1])
    counts = np.maximum(np.searchsorted(notes.onset_s, edges_s[1:] - 1e-6) - begin, 0)
    total = np.cumsum(counts)
    firsts = np.flatnonzero(np.diff(total // BLOCK_NOTES, prepend=-1))
    for first, last in pairwise([*firsts.tolist(), len(counts)]):
        block = slice(first, last)
        window = np.repeat(np.arange(first, last), counts[block])
        rows = np.arange(len(window)) + np.repeat(begin[block] - total[block] + counts[block], counts[block])
        rows += total[first] - counts[first]
        onset_s, start_s = notes.onset_s[rows], edges_s[window]
        least_s = np.where(onset_s < start_s - 1e-6, OVERHANG_S, 1e-6)
        sounds = onset_s + notes.duration_s[rows] > start_s + least_s
        yield first, last, window[sounds], rows[sounds]


def _valence_sums(
    notes: Notes, is_onset: NDArray[np.bool_], start_s: NDArray[np.float64], window: NDArray[np.intp], num_windows: int
) -> NDArray[np.float64]:
    """Durations by pitch class, number of onsets, of dissonant pairs and of all pairs: float64[num_windows, 15].

    notes: in order, each with whether it begins in its window, when the window starts, and its number
    """
    windows, moments = window[is_onset], ((notes.onset_s - start_s)[is_onset] / ONSET_S).round()
    is_new = (np.diff(windows, prepend=-1) > 0) | (np.diff(moments, prepend=-1.0) > 0)
    onsets = np.bincount(windows[is_new], minlength=num_windows)
    histogram = tonality.pitch_class_histograms(notes.pitch, notes.duration_s, window, num_windows)
    ends_s = notes.onset_s + notes.duration_s
    pairs = tonality.dissonant_pairs(notes.onset_s, ends_s, notes.pitch, window, num_windows)
    return np.column_stack([histogram, onsets, *pairs])


def _valence(sums: NDArray[np.float64], durations_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Valence before each window, float64[num_windows]; 0 where the earlier notes have no key.

    It is a trait of the piece, so it is estimated from all earlier windows, without decay.
    sums: of `_valence_sums`; durations_s: float64[num_windows], of the windows
    """
    total = np.cumsum(np.column_stack([sums, durations_s]), axis=0)
    before = np.concatenate([np.zeros_like(total[:1]), total[:-1]])
    has_key = np.ptp(before[:, :12], axis=1) > 0
    histogram, (onsets, dissonant, pairs, elapsed_s) = before[has_key, :12], before[has_key, 12:].T
    key = tonality.majorness_and_keyclarity(tonality.key_correlations(histogram))
    dissonance = dissonant / np.where(pairs > 0, pairs, np.nan)
    valence = np.zeros(len(durations_s))
    valence[has_key] = tonality.estimated_valence(*key, onsets / elapsed_s, dissonance)
    return valence
