"""Reads a MIDI file into NumPy arrays: notes in ticks, quarters and seconds, tempi and time signatures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kelly.runtime.errors import KellyError
from kelly.runtime.files import read_bytes
from kelly.sources.readers.midi_events import parse

# Far beyond any music: a larger file is broken or hostile, and its bars would fill the memory.
MAX_BYTES = 8 * 2**20
MAX_NOTES = 1_000_000
MAX_QUARTERS = 200_000.0
MAX_SECONDS = 24 * 3600.0
MIN_TEMPO = 6_000  # microseconds per quarter: 10,000 bpm


@dataclass(frozen=True)
class Notes:
    """Notes in order of (onset, pitch); every array has one entry per note.

    onset_quarters, duration_quarters: float64, quarter notes from the start of the file
    onset_s, duration_s: float64, seconds
    pitch, velocity: int64, 0..127 (velocity from 1)
    is_drum: bool, true on MIDI channel 10
    track, channel: int64, number of the track in the file, and 0..15
    """

    onset_quarters: NDArray[np.float64]
    duration_quarters: NDArray[np.float64]
    onset_s: NDArray[np.float64]
    duration_s: NDArray[np.float64]
    pitch: NDArray[np.int64]
    velocity: NDArray[np.int64]
    is_drum: NDArray[np.bool_]
    track: NDArray[np.int64]
    channel: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.pitch)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> "Notes":
        """The notes at `rows` (indices, a mask or a slice)."""
        return Notes(**{name: array[rows] for name, array in vars(self).items()})


@dataclass(frozen=True)
class Midi:
    """Contents of a MIDI file: its notes and its tempo and time signature maps, both with an entry at tick 0.

    ticks_per_quarter: 1..32767
    tempi: int64[k, 2], rows of tick and microseconds per quarter, in order of time
    time_signatures: int64[k, 3], rows of tick, numerator and denominator, in order of time
    track_names: of each track, '' if it has none
    """

    notes: Notes
    ticks_per_quarter: int
    tempi: NDArray[np.int64]
    time_signatures: NDArray[np.int64]
    track_names: tuple[str, ...]

    def seconds(self, quarters: ArrayLike) -> NDArray[np.float64]:
        """Seconds from the start of the file at `quarters`, by the tempo map."""
        ticks = np.asarray(quarters, dtype=np.float64) * self.ticks_per_quarter
        return _seconds(ticks, self.tempi, self.ticks_per_quarter)

    def bpm(self, quarters: ArrayLike) -> NDArray[np.float64]:
        """Quarter notes per minute at `quarters`."""
        ticks = np.asarray(quarters, dtype=np.float64) * self.ticks_per_quarter
        return np.asarray(6e7 / self.tempi[np.searchsorted(self.tempi[:, 0], ticks, side="right") - 1, 1])


def read_midi(path: Path) -> Midi:
    """Read a Standard MIDI File of format 0 or 1.

    Raises KellyError if it is damaged or ambiguous (`midi_events.parse`), has no notes, is timed in film frames or
    exceeds MAX_BYTES, MAX_NOTES, MAX_QUARTERS, MAX_SECONDS or MIN_TEMPO.
    """
    data = read_bytes(path, MAX_BYTES, "expected a MIDI file; check the path or remove it")
    try:
        events = parse(data)
    except KellyError as error:
        raise KellyError(f"{path}: {error}; download it again, convert it or remove it") from None
    except MemoryError as error:
        raise MemoryError(f"while reading {path}") from error
    notes, ticks_per_quarter = events.notes, events.ticks_per_quarter
    num_notes = notes.shape[1]
    if not num_notes:
        raise KellyError(f"{path}: no notes, expected at least one; remove the file")
    if num_notes > MAX_NOTES:
        raise KellyError(f"{path}: {num_notes} notes, expected at most {MAX_NOTES}; it is not music, remove it")
    # Defaults of Standard MIDI Files 1.0: 120 bpm and 4/4.
    tempi, time_signatures = _from_tick_0(events.tempi, 500_000), _from_tick_0(events.time_signatures, 4, 4)
    if not time_signatures[:, 1].min():
        raise KellyError(f"{path}: a time signature of 0 beats, expected at least 1; remove the file")
    if (tempo := tempi[:, 1].min()) < MIN_TEMPO:
        raise KellyError(f"{path}: a tempo of {tempo} µs per quarter, expected at least {MIN_TEMPO}; remove the file")
    onset, duration, pitch, velocity, is_drum, track, channel = notes[:, np.lexsort((notes[2], notes[0]))]
    last = max(int((onset + duration).max()), int(tempi[-1, 0]), int(time_signatures[-1, 0]))
    quarters = last / ticks_per_quarter
    length_s = float(_seconds(np.array(last), tempi, ticks_per_quarter)) if quarters <= MAX_QUARTERS else np.inf
    if length_s > MAX_SECONDS:
        raise KellyError(
            f"{path}: {quarters:.0f} quarters or {length_s:.0f} s long, expected at most "
            f"{MAX_QUARTERS:.0f} quarters and {MAX_SECONDS:.0f} s; it is not music, remove it"
        )
    onset_s, end_s = (_seconds(tick, tempi, ticks_per_quarter) for tick in (onset, onset + duration))
    times = (onset / ticks_per_quarter, duration / ticks_per_quarter, onset_s, end_s - onset_s)
    sorted_notes = Notes(*times, pitch, velocity, is_drum.astype(np.bool_), track, channel)
    return Midi(sorted_notes, ticks_per_quarter, tempi, time_signatures, tuple(events.track_names))


def _from_tick_0(events: list[Any], *default: int) -> NDArray[np.int64]:
    """Events in order of time, beginning with one of value `default` if there is none at tick 0."""
    ordered = sorted(events, key=lambda event: event[0])
    return np.array(ordered if ordered and ordered[0][0] == 0 else [(0, *default), *ordered], dtype=np.int64)


def _seconds(ticks: NDArray[np.generic], tempi: NDArray[np.int64], ticks_per_quarter: int) -> NDArray[np.float64]:
    starts_s = np.concatenate([[0.0], np.cumsum(np.diff(tempi[:, 0]) * tempi[:-1, 1])]) / (1e6 * ticks_per_quarter)
    i = np.searchsorted(tempi[:, 0], ticks, side="right") - 1
    return np.asarray(starts_s[i] + (ticks - tempi[i, 0]) * tempi[i, 1] / (1e6 * ticks_per_quarter))
