"""A phrase: notes in four parts, and what a listener hears of it in numbers.

Ticks are 480 a quarter note; bars have four quarters; pitches are MIDI's.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import fmean
from typing import NamedTuple

from kelly.sources.music.chords import QUALITIES

TICKS_PER_QUARTER = 480
SIXTEENTH = TICKS_PER_QUARTER // 4
SIXTEENTHS = 16
BAR = SIXTEENTHS * SIXTEENTH
NUM_NAMED = 60  # chords of the vocabulary that name their root, five qualities each


def rounded(value: float) -> int:
    """The nearest whole number, halves up: as JavaScript's Math.round, unlike Python's round."""
    return math.floor(value + 0.5)


@dataclass(frozen=True)
class Part:
    """A part of the arrangement: its General MIDI channel and program (from 0), and its share of the loudness."""

    channel: int
    program: int
    balance: float


PARTS: Mapping[str, Part] = {
    "melody": Part(0, 73, 1.0),
    "chords": Part(1, 4, 0.75),
    "bass": Part(2, 33, 0.9),
    "drums": Part(9, 0, 0.8),
}


@dataclass(frozen=True)
class Note:
    """A note: onset and duration in ticks, MIDI pitch and velocity 1..127."""

    part: str
    onset: int
    duration: int
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Phrase:
    """What was composed; notes in the order of onset, part and pitch; a chord a bar, as an index in CHORDS."""

    valence: float
    arousal: float
    seed: int
    bpm: int
    bars: int
    notes: tuple[Note, ...]
    chords: tuple[int, ...]


def apart(notes: Iterable[Note]) -> list[Note]:
    """Notes in the order of onset, part and pitch; none sounds when its part strikes the same pitch again."""
    order, last, kept = list(PARTS), dict[tuple[str, int], int](), list[Note]()
    for note in sorted(notes, key=lambda note: (note.onset, order.index(note.part), note.pitch)):
        if (before := last.get((note.part, note.pitch))) is not None:
            gap = note.onset - kept[before].onset
            if not gap:
                continue
            kept[before] = replace(kept[before], duration=min(kept[before].duration, gap))
        last[note.part, note.pitch] = len(kept)
        kept.append(note)
    return kept


class Figures(NamedTuple):
    """A phrase in numbers, nan where there is nothing to tell.

    mean_pitch: of the melody; notes_per_s, mean_velocity: of all parts
    minor_chords: share among the chords with a named root; minor_thirds: among the melody's thirds above the tonic
    """

    bpm: int
    mean_pitch: float
    notes_per_s: float
    mean_velocity: float
    minor_chords: float
    minor_thirds: float


def figures(phrase: Phrase) -> Figures:
    """What a listener hears of a phrase, in numbers."""
    pitches = [note.pitch for note in phrase.notes if note.part == "melody"]
    kinds = [QUALITIES[chord % 5] for chord in phrase.chords if chord < NUM_NAMED]
    thirds = [pitch % 12 for pitch in pitches if pitch % 12 in (3, 4)]
    seconds = phrase.bars * 4 * 60 / phrase.bpm
    return Figures(
        phrase.bpm,
        fmean(pitches) if pitches else math.nan,
        len(phrase.notes) / seconds,
        fmean(note.velocity for note in phrase.notes) if phrase.notes else math.nan,
        fmean(kind.startswith("min") for kind in kinds) if kinds else math.nan,
        fmean(third == 3 for third in thirds) if thirds else math.nan,
    )
