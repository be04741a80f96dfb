"""How what the networks say becomes notes: rules of this project's, few and plain, the same in `page/composing.js`."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kelly.audition.phrase import BAR, NUM_NAMED, PARTS, SIXTEENTH, SIXTEENTHS, TICKS_PER_QUARTER, Note, rounded
from kelly.audition.rng import MELODY, NUMBER, ONSETS, added, pick, uniform
from kelly.sources.music.chords import CHORDS, NO_CHORD, ROOTS, TEMPLATES

Floats = NDArray[np.float64]

MIN_TICKS = 30  # of a note
FEW, MANY = 2.5, 4.0  # pitches expected in a bar, below and from which chords and drums play less and more

# How many metrical levels begin at each sixteenth (Lerdahl & Jackendoff, "A Generative Theory of Tonal Music", 1983,
# chapter 4): bar, half, quarter, eighth, sixteenth. Each level doubles the chance of an onset.
LEVELS = (5, 1, 2, 1, 3, 1, 2, 1, 4, 1, 2, 1, 3, 1, 2, 1)
LEAP = 5.0  # semitones; a melodic step's weight is a bell of this standard deviation
REPEAT = 0.5  # weight of the same pitch again
CHORD_TONE = 3.0  # weight of a chord's tones on the beats
ACCENT_BASE, ACCENT_SPAN = 0.8, 0.4  # what the plugin makes of an accent: velocity × (0.8 + 0.4 · accent)
TIMING_TICKS = 60  # what it makes of a timing: half a sixteenth
SPREAD_S = 0.05  # how late the last note of a chord comes where chord_spread is 1 (docs/contract.md)
# Roots where the vocabulary names none: each on the degree where it is most at home.
ROOTLESS = {"dim": 11, "aug": 7, "sus": 7}
BASS_FROM, CHORD_FROM = 36, 52  # lowest pitches
KICK, SNARE, HAT = 36, 38, 42  # General MIDI


@dataclass(frozen=True)
class Arranger:
    """One bar: what the networks say of it, and the notes that come of that."""

    bar: int
    seed: int
    bpm: int
    dynamics: Floats
    groove: Floats
    chord: int
    pitches: Floats

    def melody(self, before: int | None) -> Iterable[Note]:
        """As many notes as pitches are expected to sound, on the strongest sixteenths; before: the pitch before."""
        number = int(added(self.pitches) + uniform(self.seed, NUMBER, self.bar))
        onsets = self.onsets(min(max(number, 1), SIXTEENTHS))
        tones = chord_tones(self.chord)
        for i, at in enumerate(onsets):
            weights = [
                self.pitches[k]
                * (1.0 if before is None else math.exp(-(((k - before) / LEAP) ** 2) / 2))
                * (REPEAT if k == before else 1.0)
                * (CHORD_TONE if at % 4 == 0 and k % 12 in tones else 1.0)
                for k in range(128)
            ]
            before = pick(weights, uniform(self.seed, MELODY, self.bar, at))
            yield self.note("melody", at, before, onsets[i + 1] if i + 1 < len(onsets) else SIXTEENTHS)

    def onsets(self, number: int) -> list[int]:
        """`number` of the bar's sixteenths, drawn without repeats by their weight in metre and groove, ascending.

        The smallest of exponential waiting times (Efraimidis & Spirakis 2006).
        """
        accents = self.groove[SIXTEENTHS:]

        def waiting(at: int) -> float:
            return -math.log(uniform(self.seed, ONSETS, self.bar, at)) / (2.0 ** LEVELS[at] * math.exp(accents[at]))

        return sorted(sorted(range(SIXTEENTHS), key=waiting)[:number])

    def accompaniment(self) -> Iterable[Note]:
        """Chord and bass, struck more often where more notes are expected, and drums."""
        density = added(self.pitches)
        strikes = [0] if density < FEW else [0, 8] if density < MANY else [0, 4, 8, 12]
        tones, root = chord_tones(self.chord), chord_root(self.chord)
        spread = self.dynamics[12] * SPREAD_S * self.bpm / 60 * TICKS_PER_QUARTER
        for i, at in enumerate(strikes):
            end = strikes[i + 1] if i + 1 < len(strikes) else SIXTEENTHS
            voices = sorted(CHORD_FROM + (tone - CHORD_FROM) % 12 for tone in tones)
            for j, pitch in enumerate(voices):
                yield self.note("chords", at, pitch, end, rounded(spread * j / (len(voices) - 1)))
            if tones:
                yield self.note("bass", at, BASS_FROM + (root - BASS_FROM) % 12, end)
        step = 4 if density < FEW else 2 if density < MANY else 1
        for at in range(0, SIXTEENTHS, step):
            yield self.note("drums", at, HAT, at + 1)
        if density >= FEW:
            for at, pitch in ((0, KICK), (4, SNARE), (8, KICK), (12, SNARE)):
                yield self.note("drums", at, pitch, at + 1)

    def note(self, part: str, at: int, pitch: int, end: int, delay: int = 0) -> Note:
        """A note from one sixteenth to another, with the timing, loudness and articulation that the networks say.

        delay: ticks by which it comes later still
        """
        onset = self.onset(at) + delay
        until = self.onset(end) if end < SIXTEENTHS else (self.bar + 1) * BAR
        held = min(max(2.0 * self.dynamics[10], 0.25), 1.0)  # of the gap; 1 is legato
        accent = ACCENT_BASE + ACCENT_SPAN * self.groove[SIXTEENTHS + at]
        velocity = rounded(127.0 * self.dynamics[0] * accent * PARTS[part].balance)
        return Note(part, onset, max(MIN_TICKS, rounded(held * (until - onset))), pitch, min(max(velocity, 1), 127))

    def onset(self, at: int) -> int:
        """The tick of a sixteenth, with its timing; the phrase cannot begin before its first."""
        return max(0, self.bar * BAR + at * SIXTEENTH + rounded(TIMING_TICKS * self.groove[at]))


def chord_root(chord: int) -> int:
    """The root of a chord, 0..11 above the tonic."""
    return chord // 5 if chord < NUM_NAMED else ROOTLESS.get(CHORDS[chord], 0)


def chord_tones(chord: int) -> tuple[int, ...]:
    """The pitch classes of a chord, its root first; none of N."""
    if chord == NO_CHORD:
        return ()
    kind = CHORDS[chord].partition(":")[2] or CHORDS[chord]
    return tuple((chord_root(chord) + step) % 12 for step in TEMPLATES["sus4" if kind == "sus" else kind])


def chord_name(chord: int) -> str:
    """A chord as musicians write it, the tonic called C: Am7 for A:min7; – for none."""
    if chord == NO_CHORD:
        return "–"
    kind = CHORDS[chord].partition(":")[2] or CHORDS[chord]
    return ROOTS[chord_root(chord)] + {"maj": "", "min": "m", "min7": "m7"}.get(kind, kind)
