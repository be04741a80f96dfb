"""Hand-written music: played notes, MIDI files of them, and the examples that the networks get from them."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import mido
import numpy as np

from kelly.sources.examples import dynamics, groove, harmony, melody
from kelly.sources.extraction.file_examples import ExtractExamples
from kelly.sources.extraction.sequences import Examples
from kelly.sources.layouts.manifest import Entry
from kelly.sources.readers.midi import Midi, Notes, read_midi

TICKS_PER_QUARTER = 480
SCALE = [60, 62, 64, 65, 67, 69, 71, 72]
EXTRACT: dict[str, ExtractExamples] = {
    "melody": partial(melody.extract_examples, num_frames=64),
    "harmony": harmony.extract_examples,
    "dynamics": partial(dynamics.extract_examples, window_s=None),
    "groove": partial(groove.extract_examples, context="embedding"),
    "groove previous": partial(groove.extract_examples, context="previous"),
}
DRUMS = "Drums"  # the track of this name is on channel 10


class Note(NamedTuple):
    """Onset and length in quarters."""

    onset: float
    length: float
    pitch: int
    velocity: int = 80


def write(
    path: Path,
    tracks: Mapping[str, Iterable[Note]],
    bpm: float = 120.0,
    metres: Sequence[tuple[float, int, int]] = ((0, 4, 4),),
) -> Path:
    """Write a MIDI file; metres: quarters, numerator and denominator."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = mido.MidiFile(ticks_per_beat=TICKS_PER_QUARTER)
    meta = [(0, mido.MetaMessage("set_tempo", tempo=round(6e7 / bpm)))]
    meta += [(ticks(at), mido.MetaMessage("time_signature", numerator=n, denominator=d)) for at, n, d in metres]
    file.tracks.append(timed(meta))
    for number, (name, notes) in enumerate(tracks.items()):
        channel = 9 if name == DRUMS else number
        events = [(0, mido.MetaMessage("track_name", name=name))]
        for note in notes:
            key = {"channel": channel, "note": note.pitch}
            events.append((ticks(note.onset), mido.Message("note_on", velocity=note.velocity, **key)))
            events.append((ticks(note.onset + note.length), mido.Message("note_off", velocity=0, **key)))
        file.tracks.append(timed(events))
    file.save(path)
    return path


def ticks(quarters: float) -> int:
    return round(quarters * TICKS_PER_QUARTER)


def timed(events: list[tuple[int, mido.Message]]) -> mido.MidiTrack:
    """A track of events at ticks; at one tick note offs come first."""
    track, now = mido.MidiTrack(), 0
    for tick, message in sorted(events, key=lambda event: (event[0], event[1].type != "note_off")):
        track.append(message.copy(time=tick - now))
        now = tick
    return track


def read(path: Path) -> tuple[Entry, Midi]:
    return Entry(path.name, path), read_midi(path)


def notes_of(played: Sequence[Note], seconds_per_quarter: float = 0.5) -> Notes:
    """Notes in memory, in order of onset and pitch."""
    ordered = sorted(played, key=lambda note: (note.onset, note.pitch))
    onset, length = (np.array([getattr(note, name) for note in ordered], float) for name in ("onset", "length"))
    pitch, velocity = (np.array([getattr(note, name) for note in ordered], np.int64) for name in ("pitch", "velocity"))
    zeros = np.zeros(len(ordered), dtype=np.int64)
    onset_s, duration_s = seconds_per_quarter * onset, seconds_per_quarter * length
    return Notes(onset, length, onset_s, duration_s, pitch, velocity, zeros.astype(np.bool_), zeros, zeros)


def eighths(num_bars: int = 2) -> list[Note]:
    return [Note(i / 2, 0.4, SCALE[i % 8], 80 + i % 3) for i in range(8 * num_bars)]


def random_music(seed: int, num_bars: int = 6) -> dict[str, list[Note]]:
    """A melody of one voice, an accompaniment and drums; no note crosses a bar line."""
    rng = np.random.default_rng(seed)
    tracks: dict[str, list[Note]] = {"Melody": [], "Piano": [], "Drums": []}
    for bar in range(num_bars):
        for name, count, low, high in (("Melody", 8, 60, 84), ("Piano", 12, 40, 60), ("Drums", 10, 35, 50)):
            steps = np.sort(rng.choice(16, count, replace=False))
            for step in steps.tolist():
                onset = 4 * bar + step / 4 + rng.integers(0, 5) / 100
                length = 0.2 if name != "Piano" else rng.uniform(0.1, min(1.0, 4 * bar + 4 - onset))
                tracks[name].append(Note(onset, length, int(rng.integers(low, high)), int(rng.integers(30, 110))))
    return tracks


def extracted(path: Path, extract: ExtractExamples, tracks: dict[str, list[Note]]) -> Examples:
    """The examples of a MIDI file with these tracks, written to `path`."""
    return extract(*read(write(path, tracks)))[0]
