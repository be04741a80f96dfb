"""The training examples of one file, and what identifies its music among other files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly.sources.extraction.augmentation import variations
from kelly.sources.extraction.duplicates import signature
from kelly.sources.extraction.sequences import Examples, limit_windows
from kelly.sources.layouts.manifest import Entry
from kelly.sources.readers.midi import Midi, read_midi
from kelly.sources.skipped import NotApplicableError

# (entry, midi, **settings) → examples, and the category of the piece ('': none)
ExtractExamples = Callable[..., tuple[Examples, str]]


@dataclass(frozen=True)
class FileExamples:
    """The examples of one file.

    category: a trait of the piece for the category-mean baseline; '': none
    signature: uint32[NUM_HASHES] of `duplicates.signature` or `sound_signature`; None: too few notes for one
    ratings_left_out: number of ratings past the end of the audio
    """

    examples: Examples
    category: str = ""
    signature: NDArray[np.uint32] | None = None
    ratings_left_out: int = 0


def extract_nonempty(
    extract: ExtractExamples, entry: Entry, midi: Midi, settings: Mapping[str, Any]
) -> tuple[Examples, str]:
    """Call `extract`. Raises NotApplicableError where it gives no examples."""
    examples, category = extract(entry, midi, **settings)
    if not len(examples["inputs"]):
        raise NotApplicableError(f"{entry.path}: no window with enough notes to learn from")
    return examples, category


def extract_midi(
    entry: Entry,
    *,
    extract: ExtractExamples,
    max_windows_per_piece: int | None,
    augmentation: Mapping[str, Any] | None,
    settings: Mapping[str, Any],
) -> FileExamples:
    """Extract the examples of one MIDI file and of variations of it.

    augmentation: arguments of `variations`; None: no variations. settings: of `extract`
    Raises KellyError where the file cannot be read, and NotApplicableError where the network cannot learn from it.
    """
    midi = read_midi(entry.path)
    examples, category = extract_nonempty(extract, entry, midi, settings)
    examples = limit_windows(examples, max_windows_per_piece)
    if augmentation is not None and augmentation["copies"]:
        parts = [examples | {"augmented": np.zeros(len(examples["inputs"]), dtype=np.bool_)}]
        for variation in variations(midi, entry.name, **augmentation):
            varied = limit_windows(extract(entry, variation, **settings)[0], max_windows_per_piece)
            parts.append(varied | {"augmented": np.ones(len(varied["inputs"]), dtype=np.bool_)})
        examples = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return FileExamples(examples, entry.category or category, signature(midi.notes))
