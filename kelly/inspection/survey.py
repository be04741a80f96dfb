"""Surveys the files of a folder: what each network could learn from one, its chords, and the context of its windows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly.features.emotion import BLOCK_SIZE, COORDINATES, EMBEDDING_SIZE, decode, decode_block
from kelly.features.vocabulary import NUM_CHORDS
from kelly.runtime.errors import KellyError
from kelly.sources.extraction.duplicates import signature
from kelly.sources.extraction.file_examples import extract_nonempty
from kelly.sources.extraction.sequences import Examples
from kelly.sources.layouts.deam_ratings import STEP_MS
from kelly.sources.layouts.manifest import Entry
from kelly.sources.layouts.midi_folder import SUFFIXES
from kelly.sources.readers.audio import read_audio
from kelly.sources.readers.midi import Midi, read_midi
from kelly.sources.registry import SOURCES
from kelly.sources.skipped import skip
from kelly.sources.source import MidiSource

BINS = (np.arange(42) - 20.5) / 20  # edges of the histograms of the coordinates; 0 is inside one
NOT_RATED = "not rated, expected valence and arousal of it"


@dataclass(frozen=True)
class Survey:
    """What one file contains.

    unusable: why it cannot be read; '': it can
    windows: by network, how many it gives; not_applicable: by network, why it gives none
    signature: of `duplicates.signature`; None: no notes
    """

    unusable: str = ""
    windows: Mapping[str, int] = field(default_factory=dict)
    not_applicable: Mapping[str, str] = field(default_factory=dict)
    signature: NDArray[np.uint32] | None = None


class Sums:
    """Totals over files.

    chords: int64[64], how often each chord occurs
    context: int64[9, len(BINS) - 1], histograms of the nine coordinates in the context of each bar or window
    moments: float64[3, 9], number, sum and sum of squares of the same
    """

    def __init__(self) -> None:
        self.chords = np.zeros(NUM_CHORDS, dtype=np.int64)
        self.context = np.zeros((len(COORDINATES), len(BINS) - 1), dtype=np.int64)
        self.moments = np.zeros((3, len(COORDINATES)))

    def add(self, other: "Sums") -> None:
        """Add the totals of other files."""
        self.chords += other.chords
        self.context += other.context
        self.moments += other.moments

    def add_examples(self, examples: Mapping[str, Examples]) -> None:
        """Add the examples of one file, by network."""
        if "harmonypredictor" in examples:
            self.chords += np.bincount(examples["harmonypredictor"]["targets"].ravel(), minlength=NUM_CHORDS)
        context = _coordinates(examples)
        self.context += np.array([np.histogram(column, BINS)[0] for column in context.T])
        number = np.full(len(COORDINATES), len(context))
        self.moments += np.stack([number, context.sum(axis=0), (context**2).sum(axis=0)])


def survey_all(
    entries: Sequence[Entry], source: str, settings: Mapping[str, Mapping[str, Any]]
) -> tuple[list[Survey], Sums]:
    """Survey some files of `source`. settings: of the examples, by network, of the networks that it serves."""
    sums = Sums()
    return [_survey(entry, source, settings, sums) for entry in entries], sums


def _survey(entry: Entry, source: str, settings: Mapping[str, Mapping[str, Any]], sums: Sums) -> Survey:
    try:
        midi = read_midi(entry.path) if entry.path.suffix.lower() in SUFFIXES else None
        if midi is None:
            read_audio(entry.path)
    except KellyError as error:
        return Survey(unusable=skip(entry.name, entry.path, error)["reason"])
    examples: dict[str, Examples] = {}
    not_applicable: dict[str, str] = {}
    windows: dict[str, int] = {}
    for name, options in settings.items():
        kind = SOURCES[name][source]
        if midi is not None and isinstance(kind, MidiSource):
            try:
                examples[name], _ = extract_nonempty(kind.extract, entry, midi, options)
                windows[name] = len(examples[name]["inputs"])
            except KellyError as error:
                not_applicable[name] = skip(entry.name, entry.path, error)["reason"]
        elif num_frames := _num_rated_frames(entry, midi):  # rendering the file would take too long
            windows[name] = math.ceil(num_frames / options["num_frames"])
        else:
            not_applicable[name] = NOT_RATED
    sums.add_examples(examples)
    return Survey("", windows, not_applicable, None if midi is None else signature(midi.notes))


def _num_rated_frames(entry: Entry, midi: Midi | None) -> int:
    """How many audio frames of a file are rated."""
    if entry.ratings is not None:
        return len(entry.ratings[0])
    if entry.valence is None or midi is None:
        return 0
    return int((midi.notes.onset_s + midi.notes.duration_s).max() * 1000 / STEP_MS)


def _coordinates(examples: Mapping[str, Examples]) -> NDArray[np.float64]:
    """The nine coordinates float64[n, 9] in the inputs of the network that has most of them."""
    for name in ("melodytransformer", "groovepredictor", "harmonypredictor", "dynamicsengine"):
        if name in examples:
            inputs, mask = examples[name]["inputs"], examples[name].get("mask")
            frames = inputs[mask.any(axis=-1)] if mask is not None else inputs[:, 0]
            if inputs.shape[-1] >= EMBEDDING_SIZE:
                return decode(frames[:, :EMBEDDING_SIZE])
            total, weight = decode_block(frames[:, :BLOCK_SIZE].astype(np.float64), 0)
            return np.clip(total / weight, -1.0, 1.0)
    return np.zeros((0, len(COORDINATES)))
