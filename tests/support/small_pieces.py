"""Small random pieces of music for tests: melody, countermelody, chords and drums in a few bars of 4/4."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from support.played import DRUMS, TICKS_PER_QUARTER, Note, write

QUARTER = TICKS_PER_QUARTER
BAR = 4 * QUARTER
ROOTS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
TONES = {"maj": (0, 4, 7), "min": (0, 3, 7), "7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11)}
DEGREES = {True: ((0, "maj"), (9, "min"), (5, "maj7"), (7, "7")), False: ((0, "min"), (8, "maj"), (5, "min"), (7, "7"))}


@dataclass(frozen=True)
class Piece:
    """Tracks by name, and one chord per bar, the first bar having only melody and drums. Ticks count from `start`."""

    bpm: int
    start: int
    chords: list[str]
    tracks: dict[str, list[tuple[int, int, int, int]]]  # onset and length in ticks, pitch, velocity

    def at(self, tick: int) -> float:
        """Seconds from the start of the file."""
        return (self.start + tick) / QUARTER * 60 / self.bpm

    @property
    def seconds(self) -> float:
        return self.at(BAR * len(self.chords))

    def write(self, path: Path, names: Sequence[str]) -> Path:
        """Write a MIDI file with the tracks `names`."""
        tracks = {
            name: [
                Note((self.start + onset) / QUARTER, length / QUARTER, pitch, velocity)
                for onset, length, pitch, velocity in self.tracks[name]
            ]
            for name in names
        }
        return write(path, tracks, self.bpm)


def compose(
    seed: int, num_bars: int = 8, major: bool | None = None, bpm: int | None = None, start: int = 0, jitter: int = 0
) -> Piece:
    """A piece of `num_bars` bars; jitter: maximum delay of onsets in ticks, as if played."""
    rng = np.random.default_rng(seed)
    tonic = int(rng.integers(12))
    major = bool(rng.integers(2)) if major is None else major
    bpm = int(rng.integers(80, 160)) if bpm is None else bpm
    tracks: dict[str, list[tuple[int, int, int, int]]] = {name: [] for name in ("MELODY", "BRIDGE", "PIANO", DRUMS)}

    def add(name: str, onset: int, length: int, pitch: int, loudness: int) -> None:
        velocity = int(np.clip(loudness + rng.integers(-20, 21), 1, 127))
        tracks[name].append((onset + int(rng.integers(jitter + 1)), length, pitch, velocity))

    chords = []
    for bar in range(num_bars):
        degree, quality = DEGREES[major][int(rng.integers(4)) if bar else 0]
        root, tones = (tonic + degree) % 12, TONES[quality]
        on_third = bar % 3 == 2
        chords.append(f"{ROOTS[root]}:{quality}" + on_third * ("/b3" if tones[1] == 3 else "/3"))
        for step in np.flatnonzero(rng.random(8) < 0.7).tolist() or [0]:
            pitch = 60 + (root + tones[int(rng.integers(3))]) % 12 + 12 * int(rng.random() < 0.3)
            add("MELODY", BAR * bar + step * QUARTER // 2, 200, pitch, 90)
        if bar:
            add("BRIDGE", BAR * bar, 900, 72 + (root + tones[1]) % 12, 60)
            for half in (0, 2 * QUARTER):
                add("PIANO", BAR * bar + half, 900, 36 + (root + on_third * tones[1]) % 12, 70)
                for tone in tones:
                    add("PIANO", BAR * bar + half, 900, 48 + (root + tone) % 12, 65)
        for eighth in range(8):
            add(DRUMS, BAR * bar + eighth * QUARTER // 2, 60, 42, 60 if eighth % 2 else 80)
            if eighth % 2 == 0:
                add(DRUMS, BAR * bar + eighth * QUARTER // 2, 60, 36 if eighth % 4 == 0 else 38, 100)
    return Piece(bpm, start, chords, tracks)
