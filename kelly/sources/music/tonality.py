"""Key finding from pitch-class histograms, and estimates of valence and arousal from notes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kelly.runtime.errors import KellyError

# Probe-tone ratings of the twelve degrees above the tonic: Krumhansl, "Cognitive Foundations of Musical Pitch"
# (1990), table 2.1, after Krumhansl & Kessler, Psychological Review 89 (1982).
MAJOR_PROFILE = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR_PROFILE = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)

LONGEST_S = 2.0  # maximum weight of a note
DISSONANT_CLASSES = (1, 6, 11)  # semitones modulo 12: seconds, sevenths and tritones
IS_DISSONANT = np.isin(np.subtract.outer(np.arange(12), np.arange(12)) % 12, DISSONANT_CLASSES)  # bool[12, 12]
MIN_OVERLAP_S = 1e-6  # of two notes that sound together

# Weight, mean and standard deviation of every feature: a ridge regression on the mean human ratings of the 200 pieces
# of VGMIDI (Ferreira & Whitehead, ISMIR 2019). Leaving one series of games out: r 0.59 for valence, 0.75 for arousal.
VALENCE_WEIGHTS = {
    "majorness": (0.279, 0.006, 0.187),
    "keyclarity": (0.145, 0.798, 0.108),
    "log_onsets_per_s": (0.179, 1.781, 0.646),
    "dissonance": (-0.086, 0.074, 0.063),
}
AROUSAL_WEIGHTS = {
    "log_notes_per_s": (0.262, 2.642, 0.754),
    "log_tempo": (0.143, -0.091, 0.439),
    "short_share": (0.078, 0.151, 0.212),
}
REFERENCE_BPM = 120.0  # log_tempo is in octaves from here
MEAN_BPM = REFERENCE_BPM * 2 ** AROUSAL_WEIGHTS["log_tempo"][1]  # 112.7: neutral for arousal


def _normalized(histograms: NDArray[np.float64]) -> NDArray[np.float64]:
    """The histograms [..., 12], each shifted and scaled to mean 0 and length 1; NaN for flat ones."""
    centred = histograms - histograms.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    return np.asarray(centred / np.where(length > 0, length, np.nan))


# float64[24, 12]: C major … B major, C minor … B minor.
KEY_PROFILES = _normalized(np.array([np.roll(p, tonic) for p in (MAJOR_PROFILE, MINOR_PROFILE) for tonic in range(12)]))


class Key(NamedTuple):
    """A key: tonic 0..11 (0 is C), mode 'major' or 'minor', majorness (best major − best minor correlation) and
    keyclarity (the best correlation, −1..1)."""

    tonic: int
    mode: str
    majorness: float
    keyclarity: float


def pitch_class_histogram(pitches: ArrayLike, durations_s: ArrayLike) -> NDArray[np.float64]:
    """Sum the durations of MIDI `pitches`, each at most LONGEST_S, by pitch class: float64[12]."""
    return pitch_class_histograms(pitches, durations_s, np.zeros(np.shape(pitches), dtype=np.intp), 1).ravel()


def pitch_class_histograms(
    pitches: ArrayLike, durations_s: ArrayLike, windows: NDArray[np.intp], num_windows: int
) -> NDArray[np.float64]:
    """`pitch_class_histogram` of the notes of each window: float64[num_windows, 12].

    windows: int[n], the window 0..num_windows−1 of each note
    """
    weights = np.minimum(np.asarray(durations_s, dtype=np.float64), LONGEST_S)
    cells = 12 * windows + np.asarray(pitches, dtype=np.intp) % 12
    totals = np.bincount(cells, weights, minlength=12 * num_windows).astype(np.float64)
    return totals.reshape(num_windows, 12)


def find_key(histogram: ArrayLike) -> Key:
    """Find the key whose Krumhansl-Kessler profile correlates best with a pitch-class `histogram`, float[12].

    Raises KellyError if the histogram is flat (no notes, or all pitch classes equal), as it then has no key.
    """
    weights = np.asarray(histogram, dtype=np.float64)
    if weights.shape != (12,) or not (np.ptp(weights) > 0):
        raise KellyError(f"the pitch-class histogram {weights.tolist()} has no key, expected 12 different numbers; "
                         "remove passages without notes")  # fmt: skip
    correlations = key_correlations(weights)
    best = int(correlations.argmax())
    return Key(best % 12, "major" if best < 12 else "minor", *map(float, majorness_and_keyclarity(correlations)))


def key_correlations(histograms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlations [..., 24] of pitch-class histograms [..., 12] with the KEY_PROFILES; NaN for flat ones."""
    return np.asarray(_normalized(histograms) @ KEY_PROFILES.T)


def majorness_and_keyclarity(correlations: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`majorness` and `keyclarity` of Key, each [...], from correlations [..., 24]."""
    major, minor = correlations[..., :12].max(axis=-1), correlations[..., 12:].max(axis=-1)
    return major - minor, np.maximum(major, minor)


def dissonant_pairs(
    onsets: ArrayLike, ends: ArrayLike, pitches: ArrayLike, windows: ArrayLike, num_windows: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the dissonant pairs of notes that sound together in each window, and all pairs that sound together.

    windows: int[n], the window 0..num_windows−1 of each note. Returns two int64[num_windows].
    The notes that sound when another one begins are counted by pitch class, as those that have begun less those that
    have ended, in O(n log n) instead of comparing all pairs.
    """
    onset, end = np.asarray(onsets, dtype=np.float64), np.asarray(ends, dtype=np.float64)
    window, pitch = np.asarray(windows, dtype=np.intp), np.asarray(pitches, dtype=np.intp)
    long_enough = np.flatnonzero(end - onset > MIN_OVERLAP_S)
    order = long_enough[np.lexsort((onset[long_enough], window[long_enough]))]
    onset, end, window, classes = onset[order], end[order], window[order], pitch[order] % 12
    n = len(order)
    is_class = np.eye(12, dtype=np.int64)[classes]
    began = np.cumsum(is_class, axis=0) - is_class
    # At equal times ends come before onsets. All notes of earlier windows have ended.
    moments = np.lexsort((np.repeat([0, 1], n), np.concatenate([end, onset + MIN_OVERLAP_S]), np.tile(window, 2)))
    is_onset = moments >= n
    note = moments[is_onset] - n
    ended = np.cumsum(np.concatenate([is_class, np.zeros_like(is_class)])[moments], axis=0)[is_onset]
    sounding = began[note] - ended
    counts = (sounding * IS_DISSONANT[classes[note]]).sum(axis=1), sounding.sum(axis=1)
    dissonant, pairs = (np.bincount(window[note], count, num_windows).astype(np.int64) for count in counts)
    return dissonant, pairs


def estimated_valence(
    majorness: ArrayLike, keyclarity: ArrayLike, onsets_per_s: ArrayLike, dissonance: ArrayLike
) -> NDArray[np.float64]:
    """Estimate valence, −1..1, by VALENCE_WEIGHTS; a feature that is NaN (unknown) counts as its mean.

    onsets_per_s: distinct onset times, rounded to 50 ms; dissonance: fraction 0..1 of `dissonant_pairs`. The arguments
    are broadcast; the result has their shape.
    """
    return _weigh(VALENCE_WEIGHTS, majorness, keyclarity, np.log2(np.asarray(onsets_per_s) + 0.1), dissonance)


def estimated_arousal(notes_per_s: ArrayLike, bpm: ArrayLike, short_share: ArrayLike) -> NDArray[np.float64]:
    """Estimate arousal, −1..1, by AROUSAL_WEIGHTS, as `estimated_valence`.

    short_share: fraction 0..1 of the notes shorter than 0.15 s; pass NaN where it would leak the targets
    """
    log_tempo = np.log2(np.asarray(bpm) / REFERENCE_BPM)
    return _weigh(AROUSAL_WEIGHTS, np.log2(np.asarray(notes_per_s) + 0.1), log_tempo, short_share)


def _weigh(weights: dict[str, tuple[float, float, float]], *features: ArrayLike) -> NDArray[np.float64]:
    """Weighted sum of standardized features, in the order of `weights`, clipped to −1..1."""
    pairs = zip(features, weights.values(), strict=True)
    terms = (weight * (np.asarray(feature) - mean) / sd for feature, (weight, mean, sd) in pairs)
    return np.clip(sum(np.where(np.isfinite(term), term, 0.0) for term in terms), -1.0, 1.0)
