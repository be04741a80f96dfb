"""Every bar of a performance in 4/4, measured hit by hit: what was played, and how it sounds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kelly.features.emotion import COORDINATES
from kelly.sources.layouts.listing import Entry
from kelly.sources.music.metre import QUARTERS_PER_BAR
from kelly.sources.music.performance import (
    DRUM_DYNAMICS,
    SIXTEENTHS,
    coordinates_of,
    drum_dynamics_of,
    groove_of,
    nearest,
)
from kelly.sources.readers.midi import Midi
from kelly.sources.skipped import NotApplicableError

MIN_HITS = 4  # a bar with fewer says too little about how it is played
NUM_SHOWN = 5


@dataclass(frozen=True)
class Bars:
    """All bars of one performance, in order, from its first hit to its last.

    hits: int64[n]; coordinates: float64[n, 9]; groove: float64[n, 32]; dynamics: float64[n, 16]; NaN: not told
    """

    hits: NDArray[np.int64]
    coordinates: NDArray[np.float64]
    groove: NDArray[np.float64]
    dynamics: NDArray[np.float64]


def bars_of(entry: Entry, midi: Midi) -> Bars:
    """Measure the drums of a MIDI file.

    A hit is of the sixteenth that it is nearest to. Drums have valence 0 and tell neither register nor articulation.
    Raises NotApplicableError where there are no drums, or the file leaves 4/4 or begins a bar anew within one.
    """
    notes = midi.notes.take(midi.notes.is_drum)
    if not len(notes):
        raise NotApplicableError(f"{entry.path}: no drums, expected notes on channel 10")
    metres = {f"{top}/{bottom}" for top, bottom in midi.time_signatures[:, 1:].tolist()}
    if metres != {"4/4"}:
        found = ", ".join(sorted(metres)[:NUM_SHOWN])
        raise NotApplicableError(f"{entry.path}: time signatures {found}, expected 4/4 throughout")
    if (midi.time_signatures[:, 0] % (QUARTERS_PER_BAR * midi.ticks_per_quarter)).any():
        raise NotApplicableError(f"{entry.path}: a time signature within a bar, expected them at bar lines")
    sixteenths = notes.onset_quarters * (SIXTEENTHS / QUARTERS_PER_BAR)
    bar = nearest(sixteenths) // SIXTEENTHS
    numbers = np.arange(bar[0], bar[-1] + 1)
    starts, ends = np.searchsorted(bar, numbers), np.searchsorted(bar, numbers, side="right")
    edges_s = midi.seconds(np.append(numbers, numbers[-1] + 1) * QUARTERS_PER_BAR)
    bpm = midi.bpm(numbers * QUARTERS_PER_BAR)
    is_tune = np.zeros(len(notes), dtype=np.bool_)
    coordinates = coordinates_of(notes, is_tune, bar - bar[0], (ends - starts) / np.diff(edges_s), bpm)
    timing_and_accents = np.full((len(numbers), 2 * SIXTEENTHS), np.nan)
    expression = np.full((len(numbers), len(DRUM_DYNAMICS)), np.nan)
    for i in np.flatnonzero(ends > starts):
        hits = notes.take(np.arange(starts[i], ends[i]))
        within = sixteenths[starts[i] : ends[i]] - SIXTEENTHS * numbers[i]
        timing_and_accents[i] = groove_of(within, hits.velocity)
        expression[i] = drum_dynamics_of(hits, nearest(within))
    coordinates[:, COORDINATES.index("valence")] = 0.0
    return Bars(ends - starts, coordinates, timing_and_accents, expression)
