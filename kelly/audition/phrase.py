"""A phrase: notes in four parts, and statistics of it.

Ticks are 480 per quarter note; bars are 4/4, in 16 steps of a sixteenth; pitches are MIDI's.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import fmean
from typing import NamedTuple

from kelly.features.vocabulary import QUALITIES

TICKS_PER_QUARTER = 480
STEPS_PER_BAR = 16
STEP_TICKS = TICKS_PER_QUARTER // 4
BAR_TICKS = STEPS_PER_BAR * STEP_TICKS
NUM_ROOTED = 60  # chords of the vocabulary with a root, five qualities each


def round_half_up(value: float) -> int:
    """Round to the nearest integer, halves up: as JavaScript's Math.round, unlike Python's round."""
    return math.floor(value + 0.5)


@dataclass(frozen=True)
class Part:
    """A part of the arrangement: General MIDI channel and program (from 0), and a factor of the velocity."""

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
    """A composed phrase. notes: sorted by onset, part and pitch; chords: one per bar, indices in CHORDS."""

    valence: float
    arousal: float
    seed: int
    bpm: int
    bars: int
    notes: tuple[Note, ...]
    chords: tuple[int, ...]


def without_overlaps(notes: Iterable[Note]) -> list[Note]:
    """Sort notes by onset, part and pitch, and end each before its part plays the same pitch again."""
    order, last, kept = list(PARTS), dict[tuple[str, int], int](), list[Note]()
    for note in sorted(notes, key=lambda note: (note.onset, order.index(note.part), note.pitch)):
        if (previous := last.get((note.part, note.pitch))) is not None:
            gap = note.onset - kept[previous].onset
            if not gap:
                continue
            kept[previous] = replace(kept[previous], duration=min(kept[previous].duration, gap))
        last[note.part, note.pitch] = len(kept)
        kept.append(note)
    return kept


class PhraseStats(NamedTuple):
    """Statistics of a phrase, NaN where undefined.

    mean_pitch: of the melody; notes_per_s, mean_velocity: of all parts
    minor_chords: share of the chords with a root; minor_thirds: share of the melody's thirds above the tonic
    """

    bpm: int
    mean_pitch: float
    notes_per_s: float
    mean_velocity: float
    minor_chords: float
    minor_thirds: float


def phrase_stats(phrase: Phrase) -> PhraseStats:
    """Compute the statistics of a phrase."""
    pitches = [note.pitch for note in phrase.notes if note.part == "melody"]
    qualities = [QUALITIES[chord % 5] for chord in phrase.chords if chord < NUM_ROOTED]
    thirds = [pitch % 12 for pitch in pitches if pitch % 12 in (3, 4)]
    seconds = phrase.bars * 4 * 60 / phrase.bpm
    return PhraseStats(
        phrase.bpm,
        fmean(pitches) if pitches else math.nan,
        len(phrase.notes) / seconds,
        fmean(note.velocity for note in phrase.notes) if phrase.notes else math.nan,
        fmean(quality.startswith("min") for quality in qualities) if qualities else math.nan,
        fmean(third == 3 for third in thirds) if thirds else math.nan,
    )
