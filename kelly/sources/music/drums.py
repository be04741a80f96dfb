"""Measurements of every bar of a drum performance in 4/4."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kelly.features.emotion import COORDINATES
from kelly.features.vocabulary import DRUM_DYNAMICS
from kelly.sources.layouts.manifest import Entry
from kelly.sources.music.metre import QUARTERS_PER_BAR
from kelly.sources.music.performance import SIXTEENTHS, coordinates_of, drum_dynamics_of, groove_of, nearest
from kelly.sources.readers.midi import Midi
from kelly.sources.skipped import NotApplicableError

MIN_HITS = 4  # fewer do not show how a bar is played
NUM_SHOWN = 5  # time signatures in a message


@dataclass(frozen=True)
class Bars:
    """All bars of one performance, in order, from its first hit to its last.

    hits: int64[n], their number; coordinates: float64[n, 9]; groove: float64[n, 32]; dynamics: float64[n, 16]; NaN
    where undefined
    """

    hits: NDArray[np.int64]
    coordinates: NDArray[np.float64]
    groove: NDArray[np.float64]
    dynamics: NDArray[np.float64]


def bars_of(entry: Entry, midi: Midi) -> Bars:
    """Measure the drums of a MIDI file.

    A hit belongs to its nearest sixteenth. Drums have valence 0; their register and articulation are NaN.
    Raises NotApplicableError if there are no drums, a time signature other than 4/4, or one within a bar.
    """
    notes = midi.notes.take(midi.notes.is_drum)
    if not len(notes):
        raise NotApplicableError(f"{entry.path}: no drums, expected notes on channel 10")
    metres = {f"{top}/{bottom}" for top, bottom in midi.time_signatures[:, 1:].tolist()}
    if metres != {"4/4"}:
        shown = ", ".join(sorted(metres)[:NUM_SHOWN])
        raise NotApplicableError(f"{entry.path}: time signatures {shown}, expected 4/4 throughout")
    if (midi.time_signatures[:, 0] % (QUARTERS_PER_BAR * midi.ticks_per_quarter)).any():
        raise NotApplicableError(f"{entry.path}: a time signature within a bar, expected them at bar lines")
    sixteenths = notes.onset_quarters * (SIXTEENTHS / QUARTERS_PER_BAR)
    bar = nearest(sixteenths) // SIXTEENTHS
    edges = np.arange(bar[0], bar[-1] + 2)
    begins = np.searchsorted(bar, edges)
    hits = np.diff(begins)
    hits_per_s = hits / np.diff(midi.seconds(edges * QUARTERS_PER_BAR))
    bpm = midi.bpm(edges[:-1] * QUARTERS_PER_BAR)
    coordinates = coordinates_of(notes, np.zeros(len(notes), dtype=np.bool_), bar - bar[0], hits_per_s, bpm)
    coordinates[:, COORDINATES.index("valence")] = 0.0
    groove = np.full((len(hits), 2 * SIXTEENTHS), np.nan)
    dynamics = np.full((len(hits), len(DRUM_DYNAMICS)), np.nan)
    for i in np.flatnonzero(hits):
        rows = slice(begins[i], begins[i + 1])
        in_bar = sixteenths[rows] - SIXTEENTHS * edges[i]
        groove[i] = groove_of(in_bar, notes.velocity[rows])
        dynamics[i] = drum_dynamics_of(notes.take(rows), nearest(in_bar))
    return Bars(hits, coordinates, groove, dynamics)
