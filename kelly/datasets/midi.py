"""Reads a MIDI file into NumPy arrays: notes in ticks, quarters and seconds, tempi and time signatures."""

import io
from collections import defaultdict, deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mido
import numpy as np
import symusic
from numpy.typing import ArrayLike, NDArray

from kelly.errors import KellyError

# Far beyond any music; past them a file is broken or hostile, and its bars would fill the memory.
MAX_BYTES = 16 * 2**20
MAX_NOTES = 1_000_000
MAX_QUARTERS = 200_000.0
MAX_SECONDS = 24 * 3600.0

OVERFLOW = 2**31  # symusic counts ticks in 32 bits: past them they come out negative

DRUM_CHANNEL = 9  # the tenth, General MIDI
# What holds where a file is silent, Standard MIDI File 1.0: 120 bpm and 4/4.
DEFAULT_TEMPO = (0, 500_000)
DEFAULT_TIME_SIGNATURE = (0, 4, 4)


@dataclass(frozen=True)
class Notes:
    """Notes in order of (onset, pitch); every array has one entry a note.

    onset_quarters, duration_quarters: float64, quarter notes from the start of the file
    onset_s, duration_s: float64, seconds
    pitch, velocity: int64, 0..127 (velocity from 1)
    is_drum: bool, true on MIDI channel 10
    """

    onset_quarters: NDArray[np.float64]
    duration_quarters: NDArray[np.float64]
    onset_s: NDArray[np.float64]
    duration_s: NDArray[np.float64]
    pitch: NDArray[np.int64]
    velocity: NDArray[np.int64]
    is_drum: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.pitch)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Notes":
        """The notes at `rows` (indices or a mask)."""
        return replace(self, **{name: array[rows] for name, array in vars(self).items()})


@dataclass(frozen=True)
class Midi:
    """What a MIDI file says: its notes and the maps of tempo and metre, both with an entry at tick 0.

    ticks_per_quarter: 1..32767
    tempi: int64[k, 2], rows of tick and microseconds per quarter, in order of time
    time_signatures: int64[k, 3], rows of tick, numerator and denominator, in order of time
    """

    notes: Notes
    ticks_per_quarter: int
    tempi: NDArray[np.int64]
    time_signatures: NDArray[np.int64]

    def seconds(self, quarters: ArrayLike) -> NDArray[np.float64]:
        """Seconds from the start of the file at `quarters`, by the tempo map."""
        ticks = np.asarray(quarters, dtype=np.float64) * self.ticks_per_quarter
        return _seconds(ticks, self.tempi, self.ticks_per_quarter)

    def bpm(self, quarters: ArrayLike) -> NDArray[np.float64]:
        """Quarter notes a minute at `quarters`."""
        ticks = np.asarray(quarters, dtype=np.float64) * self.ticks_per_quarter
        return np.asarray(6e7 / self.tempi[np.searchsorted(self.tempi[:, 0], ticks, side="right") - 1, 1])


def read_midi(path: Path) -> Midi:
    """Read a Standard MIDI File of format 0 or 1.

    Raises KellyError, naming file and reason, where it is no MIDI, cut short, without notes, timed in film frames,
    of division 0 or beyond MAX_BYTES, MAX_NOTES, MAX_QUARTERS or MAX_SECONDS.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise KellyError(f"{path}: {size} bytes, expected at most {MAX_BYTES}; it is no music, leave it out")
        data = path.read_bytes()
    except OSError as error:
        raise KellyError(f"{path}: cannot be read ({error.strerror}); put the file there or leave it out") from error
    ticks_per_quarter = _division(path, data)
    try:
        notes, tempi, time_signatures = _by_symusic(data)
    except Exception as refusal:  # of either parser anything may come out of a broken file
        try:
            notes, tempi, time_signatures = _by_mido(data)
        except Exception as error:
            reason = f"truncated or damaged MIDI (symusic: {refusal}; mido: {error!r})"
            raise KellyError(f"{path}: {reason}, expected whole tracks; get the file anew") from error
    if not notes.shape[1]:
        raise KellyError(f"{path}: no notes, expected at least one; leave the file out")
    return _midi(path, notes, ticks_per_quarter, tempi, time_signatures)


def _division(path: Path, data: bytes) -> int:
    """Ticks per quarter from the header; refuses what the parsers would let pass."""
    if data[:4] != b"MThd":
        raise KellyError(f"{path}: not a MIDI file: it begins with {data[:4]!r}, expected b'MThd'")
    kind, tracks, division = (int.from_bytes(data[i : i + 2], "big") for i in (8, 10, 12))
    whole = data.count(b"MTrk")
    if len(data) < 14 or whole < tracks:
        raise KellyError(f"{path}: truncated: {whole} tracks, the header announces {tracks}; get the file anew")
    if kind > 1:
        raise KellyError(f"{path}: MIDI format {kind}, expected 0 or 1; convert the file")
    if not 0 < division < 0x8000:
        raise KellyError(
            f"{path}: division {division}, expected 1 to 32767 ticks per quarter (above: film frames); convert the file"
        )
    return division


# Both parsers yield notes int64[5, n] (tick, duration in ticks, pitch, velocity, is_drum), tempi and time signatures.
_Parsed = tuple[NDArray[np.int64], list[tuple[int, int]], list[tuple[int, int, int]]]


def _by_symusic(data: bytes) -> _Parsed:
    score = symusic.Score.from_midi(data)
    parts = [np.zeros((5, 0), dtype=np.int64)]
    for track in score.tracks:
        n = track.notes.numpy()
        drum = np.full(len(n["time"]), track.is_drum)
        parts.append(np.stack([n["time"], n["duration"], n["pitch"], n["velocity"], drum]).astype(np.int64))
    tempi = [(t.time, t.mspq) for t in score.tempos]
    return np.concatenate(parts, axis=1), tempi, [(t.time, t.numerator, t.denominator) for t in score.time_signatures]


def _by_mido(data: bytes) -> _Parsed:
    """Slower, yet reads what symusic refuses, e.g. data bytes above 127 (clipped)."""
    notes, tempi, time_signatures = [], [], []
    for track in mido.MidiFile(file=io.BytesIO(data), clip=True).tracks:
        tick, sounding = 0, defaultdict[tuple[int, int], deque[tuple[int, int]]](deque)
        for message in track:
            tick += message.time
            if tick >= OVERFLOW:
                raise ValueError(f"tick {tick}")
            if message.type == "set_tempo":
                tempi.append((tick, message.tempo))
            elif message.type == "time_signature":
                if message.denominator >= OVERFLOW:  # the file holds its exponent, up to 255
                    raise ValueError(f"time signature {message.numerator}/{message.denominator}")
                time_signatures.append((tick, message.numerator, message.denominator))
            elif message.type == "note_on" and message.velocity > 0:
                sounding[message.channel, message.note].append((tick, message.velocity))
            elif message.type in ("note_on", "note_off") and sounding[message.channel, message.note]:
                onset, velocity = sounding[message.channel, message.note].popleft()
                drum = message.channel == DRUM_CHANNEL
                notes.append((onset, tick - onset, message.note, velocity, int(drum)))
    return np.array(notes, dtype=np.int64).reshape(-1, 5).T, tempi, time_signatures


def _midi(
    path: Path,
    notes: NDArray[np.int64],
    ticks_per_quarter: int,
    tempi: list[tuple[int, int]],
    time_signatures: list[tuple[int, int, int]],
) -> Midi:
    onset, duration, pitch, velocity, is_drum = notes[:, np.lexsort((notes[2], notes[0]))]
    tempo_map = _from_tick_0(tempi, DEFAULT_TEMPO)
    if (tempo_map[:, 1] <= 0).any():
        raise KellyError(f"{path}: a tempo of 0 microseconds per quarter, expected at least 1; leave the file out")
    if len(onset) > MAX_NOTES:
        raise KellyError(f"{path}: {len(onset)} notes, expected at most {MAX_NOTES}; it is no music, leave it out")
    time_signature_map = _from_tick_0(time_signatures, DEFAULT_TIME_SIGNATURE)
    earliest = min(onset.min(), duration.min(), tempo_map[0, 0], time_signature_map[0, 0])
    last = int((onset + duration).max()) if earliest >= 0 else OVERFLOW
    end_s = float(_seconds(np.array(last), tempo_map, ticks_per_quarter))
    if last / ticks_per_quarter > MAX_QUARTERS or end_s > MAX_SECONDS:
        raise KellyError(
            f"{path}: {last / ticks_per_quarter:.0f} quarters or {end_s:.0f} s long, expected at most "
            f"{MAX_QUARTERS:.0f} quarters and {MAX_SECONDS:.0f} s; it is no music, leave it out"
        )
    onset_s = _seconds(onset, tempo_map, ticks_per_quarter)
    return Midi(
        notes=Notes(
            onset_quarters=onset / ticks_per_quarter,
            duration_quarters=duration / ticks_per_quarter,
            onset_s=onset_s,
            duration_s=_seconds(onset + duration, tempo_map, ticks_per_quarter) - onset_s,
            pitch=pitch,
            velocity=velocity,
            is_drum=is_drum.astype(np.bool_),
        ),
        ticks_per_quarter=ticks_per_quarter,
        tempi=tempo_map,
        time_signatures=time_signature_map,
    )


def _from_tick_0(events: list[Any], default: tuple[int, ...]) -> NDArray[np.int64]:
    """Events in order of time, with `default` in front where nothing is said at tick 0."""
    ordered = sorted(events, key=lambda event: event[0])
    return np.array([*([default] if not ordered or ordered[0][0] > 0 else []), *ordered], dtype=np.int64)


def _seconds(ticks: NDArray[np.generic], tempi: NDArray[np.int64], ticks_per_quarter: int) -> NDArray[np.float64]:
    starts_s = np.concatenate([[0.0], np.cumsum(np.diff(tempi[:, 0]) * tempi[:-1, 1])]) / (1e6 * ticks_per_quarter)
    at = np.searchsorted(tempi[:, 0], ticks, side="right") - 1
    return np.asarray(starts_s[at] + (ticks - tempi[at, 0]) * tempi[at, 1] / (1e6 * ticks_per_quarter))
