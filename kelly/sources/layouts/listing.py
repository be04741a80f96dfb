"""What a folder of music lists: its pieces, each a file with what the folder says of it besides its notes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Entry:
    """One piece of a folder.

    name: its path relative to the folder, with forward slashes; messages and tables call it so
    path: the file, MIDI or sound
    group: pieces of one group are versions of one work and never divided by a split; '': the piece alone
    predefined_split: the published side, 'train', 'validation' or 'test'; '': the set has none
    category: a trait of the piece (style) for the table reference; '': what its notes tell (mode)
    valence, arousal: what listeners said of the whole piece, -1..1; None: nobody did
    beats, chords: files of annotations in the form of POP909 beside the notes; None: there are none
    ratings: arousal and valence again and again through the piece, float64[2, num_ratings], -1..1; None: there are none
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


def spread(number: int, most: int | None) -> NDArray[np.intp]:
    """The indices of at most `most` of `number` things (None: of all), evenly from the first to the last."""
    if most is None or number <= most:
        return np.arange(number)
    return np.linspace(0, number - 1, most).round().astype(np.intp)


@dataclass(frozen=True)
class Listing:
    """All pieces of a folder, sorted by name, and what else is known of it.

    unusable: listed, but not to be had: name and reason
    facts: JSON values for people: counts of what was left out, and why
    """

    entries: list[Entry]
    unusable: list[dict[str, str]] = field(default_factory=list)
    facts: Mapping[str, Any] = field(default_factory=dict)
