"""The rules that turn network outputs into notes: few and plain, and the same in `page/composing.js`."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kelly.audition.phrase import (
    BAR_TICKS,
    NUM_ROOTED,
    PARTS,
    STEP_TICKS,
    STEPS_PER_BAR,
    TICKS_PER_QUARTER,
    Note,
    round_half_up,
)
from kelly.audition.rng import MELODY, NUM_NOTES, ONSETS, sample, sequential_sum, uniform
from kelly.features.vocabulary import CHORDS, NO_CHORD, ROOTS
from kelly.sources.music.chords import TEMPLATES

Floats = NDArray[np.float64]

MIN_DURATION_TICKS = 30
SPARSE, DENSE = 2.5, 4.0  # expected pitches per bar, below and from which chords and drums play less and more

# How many metrical levels begin at each step (Lerdahl & Jackendoff, "A Generative Theory of Tonal Music", 1983,
# chapter 4): bar, half, quarter, eighth, sixteenth. Each level doubles the weight of an onset.
METRICAL_LEVELS = (5, 1, 2, 1, 3, 1, 2, 1, 4, 1, 2, 1, 3, 1, 2, 1)
LEAP_SD = 5.0  # semitones; melodic intervals are weighted by a Gaussian of this standard deviation
REPEAT_WEIGHT = 0.5  # of the same pitch again
CHORD_TONE_WEIGHT = 3.0  # of the chord's tones on the beats
ACCENT_BASE, ACCENT_SPAN = 0.8, 0.4  # as in the plugin: velocity × (0.8 + 0.4 · accent)
TIMING_TICKS = 60  # as in the plugin: timing 1 is half a sixteenth
SPREAD_S = 0.05  # delay of a chord's last note where chord_spread is 1 (docs/contract.md)
# Roots of the chords that the vocabulary lists without one: the degree on which each is most common.
ROOTLESS = {"dim": 11, "aug": 7, "sus": 7}
LOWEST_BASS, LOWEST_CHORD = 36, 52  # pitches
KICK, SNARE, HAT = 36, 38, 42  # General MIDI


@dataclass(frozen=True)
class Arranger:
    """The network outputs for one bar, and the notes made from them.

    dynamics: float64[16]; groove: float64[32], timing then accents; chord: an index in CHORDS
    pitches: float64[128], probabilities
    """

    bar: int
    seed: int
    bpm: int
    dynamics: Floats
    groove: Floats
    chord: int
    pitches: Floats

    def melody(self, previous: int | None) -> Iterable[Note]:
        """Sample as many notes as pitches are expected, on the steps with the largest weights.

        previous: the last pitch of the bar before
        """
        number = int(sequential_sum(self.pitches) + uniform(self.seed, NUM_NOTES, self.bar))
        onsets = self.onsets(min(max(number, 1), STEPS_PER_BAR))
        tones = chord_tones(self.chord)
        for i, step in enumerate(onsets):
            weights = [
                self.pitches[k]
                * (1.0 if previous is None else math.exp(-(((k - previous) / LEAP_SD) ** 2) / 2))
                * (REPEAT_WEIGHT if k == previous else 1.0)
                * (CHORD_TONE_WEIGHT if step % 4 == 0 and k % 12 in tones else 1.0)
                for k in range(128)
            ]
            previous = sample(weights, uniform(self.seed, MELODY, self.bar, step))
            yield self.note("melody", step, previous, onsets[i + 1] if i + 1 < len(onsets) else STEPS_PER_BAR)

    def onsets(self, number: int) -> list[int]:
        """Sample `number` steps without replacement, weighted by metre and accent; returns them ascending.

        The smallest of exponential waiting times (Efraimidis & Spirakis 2006).
        """
        accents = self.groove[STEPS_PER_BAR:]

        def waiting_time(step: int) -> float:
            weight = 2.0 ** METRICAL_LEVELS[step] * math.exp(accents[step])
            return -math.log(uniform(self.seed, ONSETS, self.bar, step)) / weight

        return sorted(sorted(range(STEPS_PER_BAR), key=waiting_time)[:number])

    def accompaniment(self) -> Iterable[Note]:
        """Chords, bass and drums; they play more where more melody notes are expected."""
        density = sequential_sum(self.pitches)
        onsets = [0] if density < SPARSE else [0, 8] if density < DENSE else [0, 4, 8, 12]
        tones, root = chord_tones(self.chord), chord_root(self.chord)
        spread = self.dynamics[12] * SPREAD_S * self.bpm / 60 * TICKS_PER_QUARTER
        for i, step in enumerate(onsets):
            end = onsets[i + 1] if i + 1 < len(onsets) else STEPS_PER_BAR
            voices = sorted(LOWEST_CHORD + (tone - LOWEST_CHORD) % 12 for tone in tones)
            for j, pitch in enumerate(voices):
                yield self.note("chords", step, pitch, end, round_half_up(spread * j / (len(voices) - 1)))
            if tones:
                yield self.note("bass", step, LOWEST_BASS + (root - LOWEST_BASS) % 12, end)
        for step in range(0, STEPS_PER_BAR, 4 if density < SPARSE else 2 if density < DENSE else 1):
            yield self.note("drums", step, HAT, step + 1)
        if density >= SPARSE:
            for step, pitch in ((0, KICK), (4, SNARE), (8, KICK), (12, SNARE)):
                yield self.note("drums", step, pitch, step + 1)

    def note(self, part: str, step: int, pitch: int, end: int, delay: int = 0) -> Note:
        """Make a note from step to `end`, with the timing, velocity and articulation of the networks.

        delay: further delay in ticks
        """
        onset = self.onset_tick(step) + delay
        next_onset = self.onset_tick(end) if end < STEPS_PER_BAR else (self.bar + 1) * BAR_TICKS
        articulation = min(max(2.0 * self.dynamics[10], 0.25), 1.0)  # share of the gap; 1 is legato
        accent = ACCENT_BASE + ACCENT_SPAN * self.groove[STEPS_PER_BAR + step]
        velocity = round_half_up(127.0 * self.dynamics[0] * accent * PARTS[part].balance)
        duration = max(MIN_DURATION_TICKS, round_half_up(articulation * (next_onset - onset)))
        return Note(part, onset, duration, pitch, min(max(velocity, 1), 127))

    def onset_tick(self, step: int) -> int:
        """The tick of a step with its timing, not before the phrase begins."""
        return max(0, self.bar * BAR_TICKS + step * STEP_TICKS + round_half_up(TIMING_TICKS * self.groove[step]))


def chord_root(chord: int) -> int:
    """The root of a chord, 0..11 above the tonic."""
    return chord // 5 if chord < NUM_ROOTED else ROOTLESS.get(CHORDS[chord], 0)


def chord_tones(chord: int) -> tuple[int, ...]:
    """The pitch classes of a chord, its root first; empty for N."""
    if chord == NO_CHORD:
        return ()
    quality = CHORDS[chord].partition(":")[2] or CHORDS[chord]
    return tuple((chord_root(chord) + step) % 12 for step in TEMPLATES["sus4" if quality == "sus" else quality])


def chord_name(chord: int) -> str:
    """A chord as musicians write it, the tonic called C: Am7 for A:min7; – for none."""
    if chord == NO_CHORD:
        return "–"
    quality = CHORDS[chord].partition(":")[2] or CHORDS[chord]
    return ROOTS[chord_root(chord)] + {"maj": "", "min": "m", "min7": "m7"}.get(quality, quality)
