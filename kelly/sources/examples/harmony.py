"""HarmonyPredictor's lesson: what was heard before a bar and the chords so far, and the chord that comes next."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly.runtime.errors import KellyError
from kelly.sources.examples.melody import heard_embeddings
from kelly.sources.extraction.rows import Examples
from kelly.sources.layouts.listing import Entry
from kelly.sources.layouts.pop909 import read_chords
from kelly.sources.music.chords import chord_index, derive_chords, harmony_contexts
from kelly.sources.music.listening import UNITS as HEARD_UNITS
from kelly.sources.music.metre import beat_edges
from kelly.sources.music.piece import Music, read_music
from kelly.sources.readers.midi import Midi
from kelly.sources.skipped import NotApplicableError

UNITS = {"frame": "change of chord"} | HEARD_UNITS
MIN_CHANGES = 4  # a piece with fewer chords has no harmony to learn from
EARLY_S = 0.05  # a label that begins so little before a bar line is of the bar that it leads into


def extract_examples(entry: Entry, midi: Midi) -> tuple[Examples, str]:
    """One row a change of chord of a MIDI file, and its mode; chords are derived unless the entry names annotations.

    inputs float32[n, 1, 128]: embedding of the bars heard before (64), context of the chords so far (64); targets
    int64[n, 1]: the next chord in CHORDS. Raises KellyError as `read_music` and `read_chords` do, and NotApplicableError
    where there are hardly any chords.
    """
    music = read_music(entry, midi)
    rows = examples_of(entry, music)
    if len(rows["targets"]) < MIN_CHANGES:
        raise NotApplicableError(f"{entry.path}: {len(rows['targets'])} chord(s), expected at least {MIN_CHANGES}")
    return rows, music.key.mode


def examples_of(entry: Entry, music: Music) -> Examples:
    """One row a change of chord, as `lesson` has them."""
    embeddings = heard_embeddings(entry, music)
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
    """Moments in seconds at which the chord of an annotation changes, and the chords above `tonic` 0..11.

    Raises KellyError where the file is not in the form of POP909 or names a chord that is not known.
    """
    labels = read_chords(path)
    try:
        chords = np.array([chord_index(label, tonic) for _, _, label in labels], dtype=np.int64)
    except KellyError as error:
        raise KellyError(f"{path}: {error}") from None
    changed = np.flatnonzero(np.diff(chords, prepend=-1))
    return np.array([start for start, _, _ in labels], dtype=np.float64)[changed], chords[changed]
