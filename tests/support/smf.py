"""A strict parser of Standard MIDI Files that rejects every violation of the standard: the oracle of the fuzz tests.

MIDI Manufacturers Association, "Standard MIDI Files 1.0" (RP-001). The libraries guess silently instead.
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field

from kelly.runtime.errors import KellyError

NOTE_OFF, NOTE_ON, PROGRAM_CHANGE, PITCH_BEND = 0x80, 0x90, 0xC0, 0xE0
SYSTEM_EXCLUSIVE, ESCAPE, META = 0xF0, 0xF7, 0xFF
TRACK_NAME, END_OF_TRACK, SET_TEMPO, TIME_SIGNATURE = 0x03, 0x2F, 0x51, 0x58  # kinds of meta events
MIN_LENGTHS = {SET_TEMPO: 3, TIME_SIGNATURE: 4}  # bytes; the standard has readers ignore further ones
MAX_EXPONENT = 7  # of a time signature's denominator: 128ths


@dataclass(frozen=True)
class Events:
    """Events of a file, in ticks from its start.

    ticks_per_quarter: 1..32767
    onset, duration: one entry per note, track by track, within a track in order of onset. A note off ends the earliest
        sounding note of its channel and pitch; a note without one lasts to the end of its track.
    pitch, velocity, channel, track: of the same notes, 0..127, 1..127, 0..15, and from 0 on
    track_names: of each track the text of its first Sequence/Track Name event as Latin-1; '' without one
    tempi: tick and microseconds per quarter, track by track
    time_signatures: tick, numerator 1..255 and denominator 1..128, track by track
    """

    ticks_per_quarter: int
    onset: list[int] = field(default_factory=list)
    duration: list[int] = field(default_factory=list)
    pitch: list[int] = field(default_factory=list)
    velocity: list[int] = field(default_factory=list)
    channel: list[int] = field(default_factory=list)
    track: list[int] = field(default_factory=list)
    track_names: list[str] = field(default_factory=list)
    tempi: list[tuple[int, int]] = field(default_factory=list)
    time_signatures: list[tuple[int, int, int]] = field(default_factory=list)


def parse(data: bytes) -> Events:
    """Parse a file of format 0 or 1. Raises KellyError if it violates the standard."""
    if data[:4] != b"MThd":
        raise KellyError(f"not a MIDI file: it begins with {data[:4]!r}, expected b'MThd'")
    length, kind = int.from_bytes(data[4:8], "big"), int.from_bytes(data[8:10], "big")
    num_tracks, division = int.from_bytes(data[10:12], "big"), int.from_bytes(data[12:14], "big")
    if len(data) < 14 or length < 6:
        raise KellyError(f"truncated: a header of {max(0, min(length, len(data) - 8))} bytes, expected at least 6")
    if kind > 1:
        raise KellyError(f"MIDI format {kind}, expected 0 or 1")
    if not 0 < division < 0x8000:
        raise KellyError(f"division {division}, expected 1 to 32767 ticks per quarter (above: film frames)")
    tracks = _tracks(data, 8 + length)
    if len(tracks) != num_tracks:
        truncated = "truncated: " if len(tracks) < num_tracks else ""
        raise KellyError(f"{truncated}{len(tracks)} tracks, the header announces {num_tracks}")
    if kind == 0 and num_tracks != 1:
        raise KellyError(f"MIDI format 0 with {num_tracks} tracks, expected 1")
    events = Events(division)
    for start, end in tracks:
        _read_track(data[start:end], start, events)
    return events


def _tracks(data: bytes, position: int) -> list[tuple[int, int]]:
    """Start and end of the contents of the tracks; other chunks and trailing bytes are skipped."""
    tracks: list[tuple[int, int]] = []
    while position + 8 <= len(data):
        name, length = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "big")
        position += 8
        if name == b"MTrk":
            if position + length > len(data):
                rest = len(data) - position
                raise KellyError(f"truncated: {rest} bytes of track {len(tracks) + 1}, which announces {length}")
            tracks.append((position, position + length))
        position += length
    return tracks


class _Damaged(Exception):
    """A violation of the standard: what was found and what was expected."""


def _read_track(chunk: bytes, start: int, events: Events) -> None:
    """Add the events of a track to `events`; start: its position in the file, for messages."""
    position, name = 0, None
    try:
        sounding: defaultdict[tuple[int, int], deque[int]] = defaultdict(deque)  # notes without note off so far
        tick = status = 0
        while True:
            delta, position = _number(chunk, position)
            tick += delta
            byte = chunk[position]
            if byte >= SYSTEM_EXCLUSIVE:
                kind, content, position = _system_event(chunk, position)
                if kind == END_OF_TRACK:
                    break
                if kind == TRACK_NAME and name is None:
                    name = content.decode("latin-1")
                elif kind == SET_TEMPO:
                    events.tempi.append((tick, int.from_bytes(content[:3], "big")))
                elif kind == TIME_SIGNATURE:
                    numerator, exponent = content[:2]
                    if not numerator or exponent > MAX_EXPONENT:
                        raise _Damaged(f"time signature {numerator}/2^{exponent}, expected such as 4/2^2")
                    events.time_signatures.append((tick, numerator, 2**exponent))
                status = 0  # it cancels the running status
                continue
            if byte >= NOTE_OFF:
                status = byte
                position += 1
            elif not status:
                raise _Damaged(f"data {byte} without a status, expected an event")
            first, second = chunk[position], 0
            position += 1
            if not PROGRAM_CHANGE <= status < PITCH_BEND:  # those between have one byte of data
                second = chunk[position]
                position += 1
            if first > 127 or second > 127:
                raise _Damaged(f"data {first} and {second}, expected at most 127")
            if status < NOTE_ON or (status < NOTE_ON + 16 and not second):
                if waiting := sounding[status & 15, first]:
                    note = waiting.popleft()
                    events.duration[note] = tick - events.onset[note]
            elif status < NOTE_ON + 16:
                sounding[status & 15, first].append(len(events.onset))
                events.onset.append(tick)
                events.duration.append(0)
                events.pitch.append(first)
                events.velocity.append(second)
                events.channel.append(status & 15)
                events.track.append(len(events.track_names))
        if position < len(chunk):
            raise _Damaged(f"{len(chunk) - position} bytes after the end of the track, expected none")
    except _Damaged as error:
        raise KellyError(f"damaged near byte {start + position}: {error}") from None
    except IndexError:
        raise KellyError(f"damaged: the track at byte {start} stops before its end-of-track event") from None
    events.track_names.append(name or "")
    for note in (note for waiting in sounding.values() for note in waiting):
        events.duration[note] = tick - events.onset[note]


def _system_event(chunk: bytes, position: int) -> tuple[int, bytes, int]:
    """Kind (0 for system exclusive), content and end of the system exclusive or meta event at `position`."""
    kind, byte = 0, chunk[position]
    if byte == META:
        position += 1
        kind = chunk[position]
        if kind > 127:
            raise _Damaged(f"a meta event of kind {kind}, expected at most 127")
    elif byte not in (SYSTEM_EXCLUSIVE, ESCAPE):
        raise _Damaged(f"status {byte:#x}, expected none above 0xef but 0xf0, 0xf7 and 0xff")
    length, position = _number(chunk, position + 1)
    if position + length > len(chunk):
        raise IndexError
    if length < MIN_LENGTHS.get(kind, 0):
        raise _Damaged(f"a meta event {kind:#x} of {length} bytes, expected {MIN_LENGTHS[kind]}")
    return kind, chunk[position : position + length], position + length


def _number(chunk: bytes, position: int) -> tuple[int, int]:
    """The variable-length number at `position`, and its end."""
    value = 0
    for i in range(position, position + 4):
        byte = chunk[i]
        value = value << 7 | byte & 127
        if byte < 128:
            return value, i + 1
    raise _Damaged("a number of more than four bytes")
