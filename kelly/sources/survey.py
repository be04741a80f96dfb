"""One file of a folder looked at: what each network could take from it, its chords, and what a listener knows of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly.features.emotion import BLOCK_SIZE, COORDINATES, EMBEDDING_SIZE, decode, decode_block
from kelly.runtime.errors import KellyError
from kelly.sources.extraction.duplicates import signature
from kelly.sources.extraction.measured import learn
from kelly.sources.extraction.rows import Examples
from kelly.sources.layouts.listing import Entry
from kelly.sources.layouts.ratings import STEP_MS
from kelly.sources.music.chords import NUM_CHORDS
from kelly.sources.readers.audio import read_audio
from kelly.sources.readers.midi import Midi, read_midi
from kelly.sources.registry import SOURCES
from kelly.sources.source import MidiSource

BINS = (np.arange(42) - 20.5) / 20  # edges of the histograms of the coordinates; 0 lies within one
MIDI_SUFFIXES = (".mid", ".midi")
NOT_RATED = "not rated, expected valence and arousal of it"


@dataclass(frozen=True)
class Survey:
    """What one file holds.

    unusable: why it cannot be read; '': it can
    windows: by network, how many it gives; unsuited: by network, why it gives none
    signature: of `duplicates.signature`; None: no notes
    """

    unusable: str = ""
    windows: Mapping[str, int] = field(default_factory=dict)
    unsuited: Mapping[str, str] = field(default_factory=dict)
    signature: NDArray[np.uint32] | None = None


class Sums:
    """What is added up over files.

    chords: int64[64], how often each chord comes
    heard: int64[9, len(BINS) - 1], histograms of the nine coordinates known before each bar or window
    moments: float64[3, 9], number, sum and sum of squares of the same
    """

    def __init__(self) -> None:
        self.chords = np.zeros(NUM_CHORDS, dtype=np.int64)
        self.heard = np.zeros((len(COORDINATES), len(BINS) - 1), dtype=np.int64)
        self.moments = np.zeros((3, len(COORDINATES)))

    def add(self, other: "Sums") -> None:
        """Add those of other files."""
        self.chords += other.chords
        self.heard += other.heard
        self.moments += other.moments

    def add_rows(self, rows: Mapping[str, Examples]) -> None:
        """Add what the lessons of one file tell, by network."""
        if "harmonypredictor" in rows:
            self.chords += np.bincount(rows["harmonypredictor"]["targets"].ravel(), minlength=NUM_CHORDS)
        known = _coordinates(rows)
        self.heard += np.array([np.histogram(column, BINS)[0] for column in known.T])
        self.moments += np.stack([np.full(len(COORDINATES), len(known)), known.sum(axis=0), (known**2).sum(axis=0)])


def survey_all(
    entries: Sequence[Entry], source: str, settings: Mapping[str, Mapping[str, Any]]
) -> tuple[list[Survey], Sums]:
    """Look at some files as `source` lists them; settings: of the lessons, by network, of those that it serves."""
    sums = Sums()
    return [survey(entry, source, settings, sums) for entry in entries], sums


def survey(entry: Entry, source: str, settings: Mapping[str, Mapping[str, Any]], sums: Sums) -> Survey:
    """Look at one file, and add what it tells to `sums`."""
    try:
        midi = read_midi(entry.path) if entry.path.suffix.lower() in MIDI_SUFFIXES else None
        if midi is None:
            read_audio(entry.path)
    except KellyError as error:
        return Survey(unusable=_reason(entry, error))
    rows, unsuited = _lessons(entry, midi, source, settings)
    sums.add_rows(rows)
    windows = {name: len(lesson["inputs"]) for name, lesson in rows.items()}
    of_sound = settings.keys() - rows.keys() - unsuited.keys()  # rendering it would not be worth the wait
    for name in of_sound:
        if (frames := _rated_frames(entry, midi)) == 0:
            unsuited[name] = NOT_RATED
        else:
            windows[name] = math.ceil(frames / settings[name]["num_frames"])
    return Survey("", windows, unsuited, None if midi is None else signature(midi.notes))


def _lessons(
    entry: Entry, midi: Midi | None, source: str, settings: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, Examples], dict[str, str]]:
    rows: dict[str, Examples] = {}
    unsuited: dict[str, str] = {}
    for name, own in settings.items():
        lesson = SOURCES[name][source]
        if midi is None or not isinstance(lesson, MidiSource):
            continue
        try:
            rows[name], _ = learn(lesson.examples, entry, midi, own)
        except KellyError as error:
            unsuited[name] = _reason(entry, error)
    return rows, unsuited


def _rated_frames(entry: Entry, midi: Midi | None) -> int:
    """How many audio frames of a file are rated."""
    if entry.ratings is not None:
        return len(entry.ratings[0])
    if entry.valence is None or midi is None:
        return 0
    return int((midi.notes.onset_s + midi.notes.duration_s).max() * 1000 / STEP_MS)


def _coordinates(rows: Mapping[str, Examples]) -> NDArray[np.float64]:
    """The nine coordinates float64[n, 9] that the richest of the lessons was given."""
    for name in ("melodytransformer", "groovepredictor", "harmonypredictor", "dynamicsengine"):
        if name in rows:
            inputs, mask = rows[name]["inputs"], rows[name].get("mask")
            frames = inputs[mask.any(axis=-1)] if mask is not None else inputs[:, 0]
            if inputs.shape[-1] >= EMBEDDING_SIZE:
                return decode(frames[:, :EMBEDDING_SIZE])
            total, weight = decode_block(frames[:, :BLOCK_SIZE].astype(np.float64), 0)
            return np.clip(total / weight, -1.0, 1.0)
    return np.zeros((0, len(COORDINATES)))


def _reason(entry: Entry, error: KellyError) -> str:
    return str(error).removeprefix(f"{entry.path}: ")
