"""Examples for DynamicsEngine: the valence block of a window's context, and the expression of the window."""

from typing import Literal

import numpy as np

from kelly.features.context import DECAY
from kelly.features.emotion import BLOCK_SIZE, NUM_COORDINATES, embed
from kelly.features.vocabulary import DYNAMICS
from kelly.sources.extraction.sequences import Examples, single_frames
from kelly.sources.layouts.manifest import Entry
from kelly.sources.music.context import (
    CONTEXT_UNITS,
    FAST_DECAY,
    LOUDNESS,
    apply_ratings,
    context_coordinates,
    decayed_context,
)
from kelly.sources.music.drums import MIN_HITS, bars_of
from kelly.sources.music.performance import dynamics_of
from kelly.sources.music.piece import read_music
from kelly.sources.readers.midi import Midi
from kelly.sources.skipped import NotApplicableError

UNITS = {"frame": "bar, or window_s seconds"} | CONTEXT_UNITS

Part = Literal["pitched", "drums"]


def extract_examples(entry: Entry, midi: Midi, window_s: float | None, part: Part = "pitched") -> tuple[Examples, str]:
    """One row per bar of a MIDI file, or per window of window_s seconds, with at least MIN_HITS notes; and its mode.

    part: its pitched notes, or its drums, for which windows are always bars. inputs float32[n, 1, 32]: valence block of
    the context; targets float32[n, 1, 16]: DYNAMICS or DRUM_DYNAMICS, each 0..1, masked where undefined; previous: the
    last known values.
    Raises KellyError as `read_music` and `bars_of`, NotApplicableError if all velocities are equal, or window_s is set
    for drums.
    """
    if len(np.unique(midi.notes.velocity)) < 2:
        raise NotApplicableError(f"{entry.path}: all velocities are {midi.notes.velocity[0]}, expected a performance")
    if part == "drums":
        if window_s is not None:
            raise NotApplicableError(f"{entry.path}: windows of drums are bars, expected window_s: null")
        bars = bars_of(entry, midi)
        coordinates = apply_ratings(entry, decayed_context(bars.coordinates, bars.groove), bars.coordinates)
        return single_frames(embed(coordinates)[:, :BLOCK_SIZE], bars.dynamics, bars.hits >= MIN_HITS), ""
    music = read_music(entry, midi, window_s)
    decay = np.full(NUM_COORDINATES, DECAY)
    if window_s is not None:
        decay[LOUDNESS] = FAST_DECAY
    coordinates = context_coordinates(entry, music, short_notes=False, decay=decay)
    targets = np.full((music.num_bars, len(DYNAMICS)), np.nan)
    begins = np.searchsorted(music.notes.onset_s, music.window_edges_s)
    for i in np.flatnonzero(np.diff(begins) > 0):
        notes = music.notes.take(slice(begins[i], begins[i + 1]))
        targets[i] = dynamics_of(notes, float(music.bars_s[i : i + 2].mean()))
    return single_frames(embed(coordinates)[:, :BLOCK_SIZE], targets, np.diff(begins) >= MIN_HITS), music.key.mode
