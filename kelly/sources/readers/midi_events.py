"""Parses the bytes of a MIDI file with two libraries, which must agree.

Both silently guess where a file violates the standard, and neither reads every valid file correctly: symusic 0.6 takes
an escaped event (F7) for one byte and reads a tempo that is too short past its end, mido 1.3 ignores the delta time of
an unknown meta event. Where both agree the result is reliable: tests/fuzz.py compares it with a strict parser of the
standard (Standard MIDI Files 1.0, RP-001).
"""

import io
import struct
from collections import defaultdict, deque
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly.runtime.errors import KellyError
from kelly.runtime.system_errors import raise_system_error

MAX_TICK = 2**31 - 1  # symusic counts in 32 bits
END_OF_TRACK = b"\xff\x2f\x00"
DRUM_CHANNEL = 9  # the tenth, General MIDI


@dataclass(frozen=True)
class Events:
    """Events of a file, in ticks from its start.

    ticks_per_quarter: 1..32767
    notes: int64[7, n], rows of onset, duration, pitch 0..127, velocity 1..127, whether it is a drum (channel 10), track
        number and channel 0..15. A note off ends the earliest sounding note of its channel and pitch; a note without
        one lasts to the end of its track.
    track_names: of each track, '' if it has none
    tempi: tick and microseconds per quarter; time_signatures: tick, numerator and denominator; track by track
    """

    ticks_per_quarter: int
    notes: NDArray[np.int64]
    track_names: list[str]
    tempi: list[tuple[int, int]]
    time_signatures: list[tuple[int, int, int]]


def parse(data: bytes) -> Events:
    """Parse a file of format 0 or 1. Raises KellyError if it is not MIDI, truncated, damaged or ambiguous."""
    data = normalize(data)
    try:
        events, unreleased = read_with_mido(data)
        changes = (*events.tempi, *events.time_signatures)
        if max([0, *(tick for tick, *_ in changes), *events.notes[:2].sum(axis=0)]) > MAX_TICK:
            raise KellyError(f"longer than {MAX_TICK} ticks, expected a piece of music")
        by_symusic = read_with_symusic(data)
    except KellyError:
        raise
    except Exception as error:  # either library may raise anything for a broken file
        raise_system_error(error, "a MIDI file")
        raise KellyError(f"damaged ({type(error).__name__}: {str(error)[:80]})") from None
    released = [tuple(note) for note in np.delete(events.notes[:5], unreleased, axis=1).T.tolist()]
    by_mido: list[list[Any]] = [released, events.tempi, events.time_signatures]
    for name, first, second in zip(("notes", "tempi", "time signatures"), by_mido, by_symusic, strict=True):
        if sorted(first) != sorted(second):
            raise KellyError(f"damaged or ambiguous: two libraries (mido, symusic) read different {name}")
    return events


def normalize(data: bytes) -> bytes:
    """The file without its other chunks, which readers must skip by the standard.

    Raises KellyError for errors that the libraries ignore: other formats, truncated tracks.
    """
    if data[:4] != b"MThd":
        raise KellyError(f"not a MIDI file: it begins with {data[:4]!r}, expected b'MThd'")
    length, kind, num_tracks, division = struct.unpack(">IHHH", data[4:14].ljust(10, b"\0"))
    if len(data) < 14 or length < 6:
        raise KellyError(f"truncated: a header of {max(0, min(length, len(data) - 8))} bytes, expected at least 6")
    if kind > 1:
        raise KellyError(f"MIDI format {kind}, expected 0 or 1")
    if not 0 < division < 0x8000:
        raise KellyError(f"division {division}, expected 1 to 32767 ticks per quarter (above: film frames)")
    tracks, position = [], 8 + length
    while position + 8 <= len(data):
        end = position + 8 + (length := int.from_bytes(data[position + 4 : position + 8], "big"))
        if data[position : position + 4] == b"MTrk":
            tracks.append(data[position:end])
            if end > len(data):
                rest = len(data) - position - 8
                raise KellyError(f"truncated: {rest} bytes of track {len(tracks)}, which announces {length}")
            if not tracks[-1].endswith(END_OF_TRACK):
                raise KellyError(f"truncated or damaged: track {len(tracks)} lacks its end-of-track event")
        position = end
    if len(tracks) != num_tracks:
        raise KellyError(f"truncated or damaged: {len(tracks)} tracks, the header announces {num_tracks}")
    if kind == 0 and num_tracks != 1:
        raise KellyError(f"MIDI format 0 with {num_tracks} tracks, expected 1")
    return b"MThd\0\0\0\6" + data[8:14] + b"".join(tracks)


def read_with_mido(data: bytes) -> tuple[Events, list[int]]:
    """Events as read by mido, and the numbers of the notes without note off."""
    import mido

    file = mido.MidiFile(file=io.BytesIO(data))
    notes: list[list[int]] = []
    unreleased: list[int] = []
    track_names, tempi, time_signatures = [], [], []
    for number, track in enumerate(file.tracks):
        track_names.append(track.name)
        tick, sounding = 0, defaultdict[tuple[int, int], deque[int]](deque)
        for message in track:
            tick += message.time
            if message.type == "set_tempo":
                tempi.append((tick, message.tempo))
            elif message.type == "time_signature":
                time_signatures.append((tick, message.numerator, message.denominator))
            elif message.type == "note_on" and message.velocity > 0:
                channel, is_drum = message.channel, int(message.channel == DRUM_CHANNEL)
                sounding[channel, message.note].append(len(notes))
                notes.append([tick, 0, message.note, message.velocity, is_drum, number, channel])
            elif message.type in ("note_on", "note_off") and sounding[message.channel, message.note]:
                note = sounding[message.channel, message.note].popleft()
                notes[note][1] = tick - notes[note][0]
        for note in chain.from_iterable(sounding.values()):
            notes[note][1] = tick - notes[note][0]
            unreleased.append(note)
    columns = np.array(notes, dtype=np.int64).reshape(-1, 7).T
    return Events(file.ticks_per_beat, columns, track_names, tempi, time_signatures), unreleased


def read_with_symusic(data: bytes) -> tuple[list[Any], ...]:
    """Notes that have a note off, tempi and time signatures, as read by symusic."""
    import symusic

    score = symusic.Score.from_midi(data)
    notes = [(n.time, n.duration, n.pitch, n.velocity, track.is_drum) for track in score.tracks for n in track.notes]
    tempi = [(tempo.time, tempo.mspq) for tempo in score.tempos]
    return notes, tempi, [(t.time, t.numerator, t.denominator) for t in score.time_signatures]
