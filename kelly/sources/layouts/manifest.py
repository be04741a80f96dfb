"""What a folder of music contains: its pieces, each a file with the annotations that the folder has of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Entry:
    """One piece of a folder.

    name: its path relative to the folder, with forward slashes; used in messages and tables
    path: the MIDI or audio file
    group: pieces of one group are versions of one work and stay in one split; '': the piece alone
    predefined_split: the published split, one of SPLITS; '': the set has none
    category: a trait of the piece (style) for the category-mean baseline; '': taken from its notes (mode)
    valence, arousal: ratings of the whole piece, -1..1; None: not rated
    beats, chords: annotation files in the format of POP909; None: there are none
    ratings: valence and arousal through the piece, float64[2, num_ratings], -1..1; None: there are none
    """

    name: str
    path: Path
    group: str = ""
    predefined_split: str = ""
    category: str = ""
    valence: float | None = None
    arousal: float | None = None
    beats: Path | None = None
    chords: Path | None = None
    ratings: Any = None


@dataclass(frozen=True)
class Manifest:
    """All pieces of a folder, sorted by name.

    unusable: files that are listed but cannot be used, each with `file` and `reason`
    facts: JSON values for people: counts of what was left out, and why
    """

    entries: list[Entry]
    unusable: list[dict[str, str]] = field(default_factory=list)
    facts: Mapping[str, Any] = field(default_factory=dict)


def evenly_spaced(number: int, limit: int | None) -> NDArray[np.intp]:
    """Indices of at most `limit` of `number` items (None: of all), evenly from the first to the last."""
    if limit is None or number <= limit:
        return np.arange(number)
    return np.linspace(0, number - 1, limit).round().astype(np.intp)
