"""A strict parser of Standard MIDI Files that rejects every violation of the standard: the oracle of the fuzz tests.

MIDI Manufacturers Association, "Standard MIDI Files 1.0" (RP-001). The libraries guess silently instead.
"""

import struct
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice

from kelly.runtime.errors import KellyError

NOTE_OFF, NOTE_ON, PROGRAM_CHANGE, PITCH_BEND = 0x80, 0x90, 0xC0, 0xE0
SYSTEM_EXCLUSIVE, ESCAPE, META = 0xF0, 0xF7, 0xFF
TRACK_NAME, END_OF_TRACK, SET_TEMPO, TIME_SIGNATURE = 0x03, 0x2F, 0x51, 0x58  # kinds of meta events
MIN_LENGTHS = {SET_TEMPO: 3, TIME_SIGNATURE: 4}  # bytes; the standard has readers ignore further ones
MAX_EXPONENT = 7  # of a time signature's denominator: 128ths


@dataclass(frozen=True)
class Events:
    """Events of a file, in ticks from its start, track by track.

    notes: onset, duration, pitch 0..127, velocity 1..127, channel 0..15 and number of the track, within a track in
        order of onset. A note off ends the earliest sounding note of its channel and pitch; a note without one lasts to
        the end of its track.
    track_names: of each track the text of its first Sequence/Track Name event as Latin-1; '' without one
    tempi: tick and microseconds per quarter
    time_signatures: tick, numerator 1..255 and denominator 1..128
    """

    notes: list[list[int]] = field(default_factory=list)
    track_names: list[str] = field(default_factory=list)
    tempi: list[tuple[int, int]] = field(default_factory=list)
    time_signatures: list[tuple[int, int, int]] = field(default_factory=list)


def parse(data: bytes) -> Events:
    """Parse a file of format 0 or 1. Raises KellyError if it violates the standard."""
    if data[:4] != b"MThd":
        raise KellyError(f"not a MIDI file: it begins with {data[:4]!r}, expected b'MThd'")
    length, kind, num_tracks, division = struct.unpack(">IHHH", data[4:14].ljust(10, b"\0"))
    if len(data) < 14 or length < 6:
        raise KellyError(f"truncated: a header of {max(0, min(length, len(data) - 8))} bytes, expected at least 6")
    if kind > 1:
        raise KellyError(f"MIDI format {kind}, expected 0 or 1")
    if not 0 < division < 0x8000:
        raise KellyError(f"division {division}, expected 1 to 32767 ticks per quarter (above: film frames)")
    tracks = _tracks(data, 8 + length)
    if len(tracks) != num_tracks:
        raise KellyError(f"{len(tracks)} tracks, the header announces {num_tracks}")
    if kind == 0 and num_tracks != 1:
        raise KellyError(f"MIDI format 0 with {num_tracks} tracks, expected 1")
    events = Events()
    for number, track in enumerate(tracks):
        try:
            _read_track(iter(track), number, events)
        except StopIteration:
            raise KellyError(f"damaged: track {number + 1} stops before its end-of-track event") from None
    return events


def _tracks(data: bytes, position: int) -> list[bytes]:
    """The contents of the tracks; other chunks and trailing bytes are skipped."""
    tracks = []
    while position + 8 <= len(data):
        name, length = struct.unpack(">4sI", data[position : position + 8])
        content = data[position + 8 : position + 8 + length]
        if name == b"MTrk":
            tracks.append(content)
            if len(content) < length:
                raise KellyError(f"truncated: {len(content)} bytes of track {len(tracks)}, which announces {length}")
        position += 8 + length
    return tracks


def _read_track(track: Iterator[int], number: int, events: Events) -> None:
    """Add the events of a track to `events`. Raises StopIteration if it ends within an event."""
    names: list[str] = []
    sounding: defaultdict[tuple[int, int], deque[list[int]]] = defaultdict(deque)  # notes without note off so far
    tick = status = 0
    while True:
        tick += _number(track)
        byte = next(track)
        if byte >= SYSTEM_EXCLUSIVE:
            kind, content = _system_event(byte, track)
            if kind == END_OF_TRACK:
                break
            if kind == TRACK_NAME:
                names.append(content.decode("latin-1"))
            elif kind == SET_TEMPO:
                events.tempi.append((tick, int.from_bytes(content[:3], "big")))
            elif kind == TIME_SIGNATURE:
                numerator, exponent = content[:2]
                if not numerator or exponent > MAX_EXPONENT:
                    raise KellyError(f"time signature {numerator}/2^{exponent}, expected such as 4/2^2")
                events.time_signatures.append((tick, numerator, 2**exponent))
            status = 0  # it cancels the running status
            continue
        if byte >= NOTE_OFF:
            status, byte = byte, next(track)
        elif not status:
            raise KellyError(f"data {byte} without a status, expected an event")
        second = 0 if PROGRAM_CHANGE <= status < PITCH_BEND else next(track)  # those between have one byte of data
        if byte > 127 or second > 127:
            raise KellyError(f"data {byte} and {second}, expected at most 127")
        waiting = sounding[status & 15, byte]
        if NOTE_ON <= status < NOTE_ON + 16 and second:
            events.notes.append([tick, 0, byte, second, status & 15, number])
            waiting.append(events.notes[-1])
        elif status < NOTE_ON + 16 and waiting:
            note = waiting.popleft()
            note[1] = tick - note[0]
    if rest := len(list(track)):
        raise KellyError(f"{rest} bytes after the end of the track, expected none")
    events.track_names.append(names[0] if names else "")
    for note in chain.from_iterable(sounding.values()):
        note[1] = tick - note[0]


def _system_event(byte: int, track: Iterator[int]) -> tuple[int, bytes]:
    """Kind (0 for system exclusive) and content of the system exclusive or meta event that begins with `byte`."""
    if byte not in (SYSTEM_EXCLUSIVE, ESCAPE, META):
        raise KellyError(f"status {byte:#x}, expected none above 0xef but 0xf0, 0xf7 and 0xff")
    kind = next(track) if byte == META else 0
    if kind > 127:
        raise KellyError(f"a meta event of kind {kind}, expected at most 127")
    length = _number(track)
    content = bytes(islice(track, length))
    if len(content) < length:
        raise StopIteration
    if length < MIN_LENGTHS.get(kind, 0):
        raise KellyError(f"a meta event {kind:#x} of {length} bytes, expected {MIN_LENGTHS[kind]}")
    return kind, content


def _number(track: Iterator[int]) -> int:
    """The variable-length number that begins here."""
    value = 0
    for _ in range(4):
        byte = next(track)
        value = value << 7 | byte & 127
        if byte < 128:
            return value
    raise KellyError("a number of more than four bytes")
