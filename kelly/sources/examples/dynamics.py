"""DynamicsEngine's lesson: half an embedding of what was heard before a window, and how the window is played."""

from typing import Literal

import numpy as np

from kelly.features.context import DECAY
from kelly.features.emotion import BLOCK_SIZE, NUM_COORDINATES, embed
from kelly.sources.extraction.rows import Examples, single
from kelly.sources.layouts.listing import Entry
from kelly.sources.music.drums import MIN_HITS, bars_of
from kelly.sources.music.listening import FAST_DECAY, LOUDNESS, Windows, heard_in, rated
from kelly.sources.music.listening import UNITS as HEARD_UNITS
from kelly.sources.music.performance import DYNAMICS, dynamics_of, heard_coordinates
from kelly.sources.music.piece import read_music
from kelly.sources.readers.midi import Midi
from kelly.sources.skipped import NotApplicableError

UNITS = {"frame": "bar, or window_s seconds"} | HEARD_UNITS


Part = Literal["pitched", "drums"]


def extract_examples(entry: Entry, midi: Midi, window_s: float | None, part: Part = "pitched") -> tuple[Examples, str]:
    """One row a bar of a MIDI file, or a window of window_s seconds, with at least MIN_HITS notes.

    part: its pitched notes or its drums, which are told bar by bar. inputs float32[n, 1, 32], the valence block of what
    was heard before; targets float32[n, 1, 16], DYNAMICS or DRUM_DYNAMICS, each 0..1, masked where the window does not
    tell; heard: what was last told. Raises KellyError as `read_music` and `bars_of` do, and NotApplicableError where all
    velocities are the same, or drums are asked for by the second.
    """
    if len(np.unique(midi.notes.velocity)) < 2:
        raise NotApplicableError(f"{entry.path}: all velocities are {midi.notes.velocity[0]}, expected a performance")
    if part == "drums":
        if window_s is not None:
            raise NotApplicableError(f"{entry.path}: drums are told bar by bar, expected window_s: null")
        bars = bars_of(entry, midi)
        heard = rated(entry, heard_coordinates(bars.coordinates, bars.groove), bars.coordinates)
        return single(embed(heard)[:, :BLOCK_SIZE], bars.dynamics, bars.hits >= MIN_HITS), ""
    music = read_music(entry, midi, window_s)
    decay = np.full(NUM_COORDINATES, DECAY)
    if window_s is not None:
        decay[LOUDNESS] = FAST_DECAY
    windows = Windows(music.heard_s, music.bpm, music.groove)
    heard = heard_in(entry, music.notes, music.is_melody, windows, short_notes=False, decay=decay)
    targets = np.full((music.num_bars, len(DYNAMICS)), np.nan)
    begins = np.searchsorted(music.notes.onset_s, music.heard_s)
    for i in np.flatnonzero(np.diff(begins) > 0):
        here = music.notes.take(np.arange(begins[i], begins[i + 1]))
        targets[i] = dynamics_of(here, float(music.bars_s[i : i + 2].mean()))
    return single(embed(heard)[:, :BLOCK_SIZE], targets, np.diff(begins) >= MIN_HITS), music.key.mode
