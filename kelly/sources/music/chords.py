"""Chords: labels mapped to the vocabulary, chords derived from notes, and the context of the chords so far."""

import re

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kelly.features.vocabulary import CHORDS, NO_CHORD, NUM_CHORDS, QUALITIES
from kelly.runtime.errors import KellyError
from kelly.sources.readers.notation import SEMITONES

# Chord kinds of Harte's notation (ISMIR 2005) → the nine of the vocabulary; basses after a slash are removed before.
KINDS = {
    "": "maj", "maj": "maj", "maj6": "maj", "6": "maj", "5": "maj", "1": "maj",
    "min": "min", "min6": "min", "minmaj7": "min",
    "7": "7", "9": "7", "11": "7", "13": "7",
    "maj7": "maj7", "maj9": "maj7", "maj11": "maj7", "maj13": "maj7",
    "min7": "min7", "min9": "min7", "min11": "min7", "min13": "min7",
    "dim": "dim", "dim7": "dim", "hdim7": "dim", "hdim": "dim",
    "aug": "aug", "sus2": "sus", "sus4": "sus", "sus4(b7)": "sus",
}  # fmt: skip

TEMPLATES = {
    "maj": (0, 4, 7), "min": (0, 3, 7), "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11), "min7": (0, 3, 7, 10),
    "dim": (0, 3, 6), "hdim7": (0, 3, 6, 10), "dim7": (0, 3, 6, 9), "aug": (0, 4, 8), "sus4": (0, 5, 7),
}  # fmt: skip
# The score of a template is the fraction of the sounding time in its notes, less a penalty for missing notes and for a
# seventh or suspension, plus a bonus if its root is the bass. Notes in the second half of a beat, mostly passing notes,
# have half the weight. With these values 93 % of the beats of 15 chorales get the chord of the human analyses included
# in music21 (72 % with equal halves and no colour penalty); neighbouring values do as well.
SECOND_HALF = 0.5
MISSING = 0.1
COLOUR = 0.1
BASS_IS_ROOT = 0.075


def chord_index(label: str, tonic: int = 0) -> int:
    """Index in CHORDS of a label in Harte's notation (`B:maj7`, `A#:min/b3`, `N`), its root relative to `tonic` 0..11.

    Raises KellyError if the root or the kind is unknown.
    """
    if label == "N":
        return NO_CHORD
    match = re.fullmatch(r"([A-G])([b#]*)(?::([^/]*))?(?:/.*)?", label)
    kind = "" if match is None else match[3] or ""
    if kind not in KINDS:  # added notes in brackets do not change the quality
        kind = re.sub(r"(?<=.)\([^()]*\)$", "", kind)
    if match is None or kind not in KINDS:
        raise KellyError(f"unknown chord {label!r}, expected N or a root A..G with # or b, a colon and one of "
                         f"{', '.join(kind for kind in KINDS if kind)}; correct the annotation")  # fmt: skip
    root = SEMITONES[match[1]] + match[2].count("#") - match[2].count("b")
    return _index((root - tonic) % 12, KINDS[kind])


def _index(root: int, quality: str) -> int:
    return 5 * root + QUALITIES.index(quality) if quality in QUALITIES else CHORDS.index(quality)


_SHAPES = [(root, kind) for kind in TEMPLATES for root in range(12)]
_ROOTS = np.array([root for root, _ in _SHAPES])
_INDICES = np.array([_index(root, KINDS[kind]) for root, kind in _SHAPES])
_MEMBERS = np.array([[(pitch - root) % 12 in TEMPLATES[kind] for pitch in range(12)] for root, kind in _SHAPES])
_COLOURED = np.array([len(TEMPLATES[kind]) > 3 or kind == "sus4" for _, kind in _SHAPES])


def derive_chords(notes: ArrayLike, edges: ArrayLike, tonic: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Derive the chords of polyphonic `notes`, one per beat, and collapse repeats.

    notes: float[n, 3], onset, end and MIDI pitch; edges: float[num_beats + 1], rising, edges of the beats in the same
    unit (quarter notes); tonic: 0..11.
    Returns the moments at which the chord changes, float64[k], and the indices in CHORDS, int64[k]; N in silence.
    """
    notes, edges = np.asarray(notes, dtype=np.float64).reshape(-1, 3), np.asarray(edges, dtype=np.float64)
    notes = notes[np.argsort(notes[:, 0], kind="stable")]
    starts, ends = edges[:-1], edges[1:]
    first = np.searchsorted(np.maximum.accumulate(notes[:, 1]), starts)  # of the notes that may sound in a beat
    beats = zip(first, np.searchsorted(notes[:, 0], ends), starts, ends, strict=True)
    chords = np.array([_match(notes[i:j], start, end, tonic) for i, j, start, end in beats], dtype=np.int64)
    is_change = np.flatnonzero(np.diff(chords, prepend=-1))
    return starts[is_change], chords[is_change]


def _match(notes: NDArray[np.float64], start: float, end: float, tonic: int) -> int:
    middle = (start + end) / 2
    lengths = _overlap(notes, start, middle) + SECOND_HALF * _overlap(notes, middle, end)
    notes, lengths = notes[lengths > 1e-6], lengths[lengths > 1e-6]
    if not len(notes):
        return NO_CHORD
    degrees = (notes[:, 2].astype(np.intp) - tonic) % 12
    fraction = np.bincount(degrees, weights=lengths, minlength=12) / lengths.sum()
    is_first = notes[:, 0] <= max(start, notes[:, 0].min()) + 1e-6
    bass = degrees[is_first][np.argmin(notes[is_first, 2])]
    score = (
        _MEMBERS @ fraction
        - MISSING * (_MEMBERS & (fraction == 0)).sum(axis=1)
        - COLOUR * _COLOURED
        + BASS_IS_ROOT * (bass == _ROOTS)
    )
    return int(_INDICES[np.argmax(score.round(9))])  # rounded, so that ties do not depend on rounding errors


def _overlap(notes: NDArray[np.float64], start: float, end: float) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.minimum(notes[:, 1], end) - np.maximum(notes[:, 0], start)
    return lengths.clip(min=0.0)


def harmony_contexts(chords: NDArray[np.int64]) -> NDArray[np.float32]:
    """Context of each chord of one piece from the chords before it: float32[n, 64].

    chords: int64[n], indices in CHORDS. The last chord adds 1, the one before 0.5, then 0.25 …; the sum is clipped to
    1, and 0 at the start (docs/contract.md).
    """
    contexts, total = np.zeros((len(chords), NUM_CHORDS)), np.zeros(NUM_CHORDS)
    for position, chord in enumerate(chords):
        contexts[position] = total
        total = 0.5 * total
        total[chord] += 1.0
    return np.minimum(contexts, 1.0).astype(np.float32)
