"""Examples for HarmonyPredictor: the embedded context of a bar and the chords so far, and the next chord."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly.runtime.errors import KellyError
from kelly.sources.extraction.sequences import Examples
from kelly.sources.layouts.manifest import Entry
from kelly.sources.music.chords import chord_index, derive_chords, harmony_contexts
from kelly.sources.music.context import CONTEXT_UNITS, context_embeddings
from kelly.sources.music.metre import beat_edges
from kelly.sources.music.piece import Music, read_music
from kelly.sources.readers.annotations import read_chords
from kelly.sources.readers.midi import Midi
from kelly.sources.skipped import NotApplicableError

UNITS = {"frame": "change of chord"} | CONTEXT_UNITS
MIN_CHANGES = 4  # fewer chords are no harmony to learn from
EARLY_S = 0.05  # a label up to this long before a bar line belongs to the next bar


def extract_examples(entry: Entry, midi: Midi) -> tuple[Examples, str]:
    """One row per change of chord of a MIDI file, and its mode. Chords are derived unless the entry has annotations.

    inputs float32[n, 1, 128]: embedding of the context of the bar (64), chords so far (64); targets int64[n, 1]: index
    of the next chord in CHORDS.
    Raises KellyError as `read_music` and `read_chords`, NotApplicableError if there are fewer than MIN_CHANGES chords.
    """
    music = read_music(entry, midi)
    rows = examples_of(entry, music)
    if len(rows["targets"]) < MIN_CHANGES:
        raise NotApplicableError(f"{entry.path}: {len(rows['targets'])} chord(s), expected at least {MIN_CHANGES}")
    return rows, music.key.mode


def examples_of(entry: Entry, music: Music) -> Examples:
    """One row per change of chord of a piece, as `extract_examples` returns them."""
    embeddings = context_embeddings(entry, music)
    if entry.chords is None:
        moments, chords = derive_chords(music.score, beat_edges(music.bars), tonic=0)
        bars = np.searchsorted(music.bars, moments + 1e-6) - 1
    else:
        moments, chords = annotated_chords(entry.chords, music.key.tonic)
        bars = np.searchsorted(music.bars_s, moments + EARLY_S, side="right") - 1
        inside = (bars >= 0) & (bars < music.num_bars)
        chords, bars = chords[inside], bars[inside]
    inputs = np.concatenate([embeddings[bars], harmony_contexts(chords)], axis=1)
    return {"inputs": inputs[:, None], "targets": chords[:, None]}


def annotated_chords(path: Path, tonic: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Moments in seconds at which an annotated chord changes, and the chords relative to `tonic` 0..11.

    Raises KellyError if the file is invalid or names an unknown chord.
    """
    labels = read_chords(path)
    try:
        chords = np.array([chord_index(label, tonic) for _, _, label in labels], dtype=np.int64)
    except KellyError as error:
        raise KellyError(f"{path}: {error}") from None
    is_change = np.flatnonzero(np.diff(chords, prepend=-1))
    return np.array([start for start, _, _ in labels], dtype=np.float64)[is_change], chords[is_change]
