"""What one piece yields for one network: rows of numbers, and what tells it from other pieces."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly.sources.extraction.augmentation import variations
from kelly.sources.extraction.duplicates import signature
from kelly.sources.extraction.rows import Examples, limited
from kelly.sources.layouts.listing import Entry
from kelly.sources.readers.midi import Midi, read_midi
from kelly.sources.skipped import NotApplicableError

ExtractExamples = Callable[
    ..., tuple[Examples, str]
]  # (entry, midi, **settings) → rows, and a trait of the piece ('': none)


@dataclass(frozen=True)
class Measured:
    """The rows of one piece.

    category: a trait of the piece for the table reference; '': none
    signature: uint32[NUM_HASHES] of `duplicates.signature` or `sound_signature`; None: too few notes for one
    left_out: how many ratings have no sound
    """

    rows: Examples
    category: str = ""
    signature: NDArray[np.uint32] | None = None
    left_out: int = 0


def learn(extract: ExtractExamples, entry: Entry, midi: Midi, settings: Mapping[str, Any]) -> tuple[Examples, str]:
    """What a `lesson` takes from a piece. Raises NotApplicableError where that is nothing."""
    rows, category = extract(entry, midi, **settings)
    if not len(rows["inputs"]):
        raise NotApplicableError(f"{entry.path}: no window with enough notes to learn from")
    return rows, category


def measure_notes(
    entry: Entry,
    *,
    extract: ExtractExamples,
    max_windows_per_piece: int | None,
    augmentation: Mapping[str, Any] | None,
    settings: Mapping[str, Any],
) -> Measured:
    """What a `lesson` takes from the notes of one MIDI file, and from variations of them.

    Raises KellyError where the file cannot be read, and NotApplicableError where the lesson cannot be learned from it.
    """
    midi = read_midi(entry.path)
    rows, category = learn(extract, entry, midi, settings)
    rows = limited(rows, max_windows_per_piece)
    if augmentation is not None and augmentation["copies"]:
        parts = [rows | {"augmented": np.zeros(len(rows["inputs"]), dtype=np.bool_)}]
        for varied in variations(midi, entry.name, **augmentation):
            copy = limited(extract(entry, varied, **settings)[0], max_windows_per_piece)
            parts.append(copy | {"augmented": np.ones(len(copy["inputs"]), dtype=np.bool_)})
        rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Measured(rows, entry.category or category, signature(midi.notes))
