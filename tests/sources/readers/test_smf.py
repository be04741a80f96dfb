"""The strict MIDI parser of the fuzz tests reads whatever the standard allows, and rejects whatever it forbids."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fuzz_inputs import END, beats, smf, track
from support.smf import Events, parse

from kelly.runtime.errors import KellyError

NOTE = b"\0\x90\x3c\x40\x60\x80\x3c\0"  # middle C of 96 ticks


@dataclass
class Written:
    """The bytes of a file, and the events that they encode."""

    chunks: list[bytes] = field(default_factory=list)
    expected: Events = field(default_factory=lambda: Events(96))


def number(draw: st.DrawFn, value: int) -> bytes:
    """A variable-length number, sometimes longer than necessary."""
    digits = [value & 127]
    while value := value >> 7:
        digits.append(value & 127)
    digits += [0] * draw(st.sampled_from((0, 0, 0, 4 - len(digits))))
    return bytes(digit | (128 if i else 0) for i, digit in enumerate(digits))[::-1]


@st.composite
def files(draw: st.DrawFn) -> Written:
    """Any valid file, including unusual but valid encodings."""
    file = Written()
    for _ in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            file.chunks.append(b"Alen\0\0\0\4" + draw(st.binary(min_size=4, max_size=4)))
        file.chunks.append(write_track(draw, file.expected))
    return file


def write_track(draw: st.DrawFn, events: Events) -> bytes:
    body, tick, status, sounding = b"", 0, 0, list[tuple[int, int]]()
    for _ in range(draw(st.integers(0, 12))):
        delta = draw(st.sampled_from((0, 0, 1, 24, 127, 128, 5_000)))
        tick += delta
        body += number(draw, delta)
        match draw(st.sampled_from(("on", "on", "off", "off", "off 0", "other", "tempo", "metre", "meta", "system"))):
            case "on":
                key, velocity = (
                    (draw(st.sampled_from((0, 9))), draw(st.sampled_from((0, 60, 127)))),
                    draw(st.integers(1, 127)),
                )
                sounding.append((len(events.onset), key[0] * 128 + key[1]))
                for column, value in zip(columns(events), (tick, -1, key[1], velocity, key[0]), strict=True):
                    column.append(value)
                message = bytes([0x90 + key[0], key[1], velocity])
            case "off" | "off 0" as kind:
                key = draw(st.sampled_from((0, 9))), draw(st.sampled_from((0, 60, 127)))
                first = next((entry for entry in sounding if entry[1] == key[0] * 128 + key[1]), None)
                if first:
                    sounding.remove(first)
                    events.duration[first[0]] = tick - events.onset[first[0]]
                message = bytes([0x80 + key[0], key[1], 64] if kind == "off" else [0x90 + key[0], key[1], 0])
            case "other":
                message = draw(st.sampled_from((b"\xa0\1\2", b"\xb9\x40\x7f", b"\xc0\5", b"\xd3\0", b"\xe1\0\x40")))
            case kind:
                body, status = body + system_event(draw, kind, tick, events), 0
                continue
        running = message[0] == status and draw(st.booleans())
        body, status = body + (message[1:] if running else message), message[0]
    last = draw(st.sampled_from((0, 0, 100)))
    for note, _ in sounding:
        events.duration[note] = tick + last - events.onset[note]
    return track(body, number(draw, last), b"\xff\x2f\0")


def columns(events: Events) -> tuple[list[int], ...]:
    return events.onset, events.duration, events.pitch, events.velocity, events.channel


def system_event(draw: st.DrawFn, kind: str, tick: int, events: Events) -> bytes:
    content = draw(st.binary(max_size=9))
    if kind == "tempo":
        tempo = draw(st.integers(0, 2**24 - 1))
        events.tempi.append((tick, tempo))
        kind_bytes, content = b"\xff\x51", tempo.to_bytes(3, "big") + content
    elif kind == "metre":
        numerator, exponent = draw(st.integers(1, 255)), draw(st.integers(0, 7))
        events.time_signatures.append((tick, numerator, 2**exponent))
        kind_bytes, content = b"\xff\x58", bytes([numerator, exponent, 24, 8]) + content
    elif kind == "meta":
        kind_bytes = b"\xff" + draw(st.sampled_from((b"\0", b"\1", b"\3", b"\x21", b"\x54", b"\x59", b"\x60", b"\x7f")))
    else:
        kind_bytes = draw(st.sampled_from((b"\xf0", b"\xf7")))
    return kind_bytes + number(draw, len(content)) + content


@settings(derandomize=True, max_examples=250, deadline=None)
@given(files())
def test_valid_files_are_read_as_written(file: Written) -> None:
    read = parse(smf(*file.chunks, division=96))
    assert columns(read) == columns(file.expected)
    assert (read.tempi, read.time_signatures) == (file.expected.tempi, file.expected.time_signatures)


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (b"\0\x90\x3c\x40\0\xff\1\1a\x60\x3c\0" + END, "data 60 without a status"),  # after a meta event
        (b"\0\x90\x3c\x40\0\xf0\2\1\xf7\x60\x3c\0" + END, "data 60 without a status"),  # after system exclusive
        (b"\0\x3c\x40" + END, "data 60 without a status"),
        (b"\0\x90\x3c\xc8\x60\x80\x3c\0" + END, "data 60 and 200, expected at most 127"),
        (b"\0\x90\xbc\x40" + END, "data 188 and 64, expected at most 127"),
        *(
            (b"\0" + bytes([status, 1]) + NOTE + END, f"status {status:#x}")
            for status in (*range(0xF1, 0xF7), *range(0xF8, 0xFF))
        ),
        (NOTE + b"\0\xff\x80\0" + END, "a meta event of kind 128"),
        (b"\x80\x80\x80\x80\0\x90\x3c\x40" + END, "a number of more than four bytes"),
        (b"\0\xff\1\x80\x80\x80\x80\0" + END, "a number of more than four bytes"),
        (b"\0\xff\x51\2\7\xa1" + NOTE + END, "a meta event 0x51 of 2 bytes, expected 3"),
        (b"\0\xff\x58\2\4\2" + NOTE + END, "a meta event 0x58 of 2 bytes, expected 4"),
        (b"\0\xff\x58\4\4\x22\x18\x08" + NOTE + END, "time signature 4/2^34"),
        (b"\0\xff\x58\4\0\2\x18\x08" + NOTE + END, "time signature 0/2^2"),
        (NOTE, "stops before its end-of-track event"),
        (NOTE + b"\0\x90\x3c", "stops before its end-of-track event"),
        (NOTE + b"\0\xff\1\x10ab" + END, "stops before its end-of-track event"),
        (NOTE + END + NOTE, "8 bytes after the end of the track"),
        (b"", "stops before its end-of-track event"),
    ],
)
def test_invalid_events_are_rejected(events: bytes, message: str) -> None:
    with pytest.raises(KellyError) as caught:
        parse(smf(track(events)))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (smf(track(NOTE, END), track(NOTE, END), num_tracks=1), "2 tracks, the header announces 1"),
        (smf(track(NOTE, END), num_tracks=2), "truncated: 1 tracks, the header announces 2"),
        (smf(track(NOTE, b"\0\xff\1\4MTrk", END), num_tracks=2), "truncated: 1 tracks, the header announces 2"),
        (smf(track(NOTE, END), track(NOTE, END), kind=0), "MIDI format 0 with 2 tracks, expected 1"),
        (smf(track(NOTE, END))[:-1], "truncated: 11 bytes of track 1, which announces 12"),
        (b"MThd\0\0\0\5" + smf(track(NOTE, END))[8:], "truncated: a header of 5 bytes"),
        (b"MThd", "truncated: a header of 0 bytes"),
    ],
)
def test_tracks_that_do_not_match_the_header_are_rejected(data: bytes, message: str) -> None:
    with pytest.raises(KellyError) as caught:
        parse(data)
    assert message in str(caught.value)


def test_a_longer_header_and_trailing_bytes_are_ignored() -> None:
    plain = smf(track(NOTE, END))
    longer = plain[:4] + b"\0\0\0\x08" + plain[8:14] + b"ab" + plain[14:]
    assert parse(longer) == parse(plain) == parse(plain + b"\0\0\0") == parse(plain + b"junk of any length")


def test_a_note_off_ends_the_earliest_note_and_a_note_without_one_lasts_to_the_end_of_its_track() -> None:
    nested = parse(
        smf(track(b"\0\x90\x3c\x40", b"\x10\x3c\x50", b"\x10\x3c\0", b"\x10\x3d\x60", b"\x10\x3c\0", b"\x20" + END[1:]))
    )
    assert (nested.onset, nested.duration) == ([0, 16, 48], [32, 48, 48])
    assert parse(smf(track(b"\0\x90\x3c\x40" + END), track(b"\x60\x80\x3c\0" + END))).duration == [0]  # another track's


def test_escaped_and_unknown_meta_events_have_their_delta_time() -> None:
    events = parse(smf(track(b"\0\x90\x3c\x40", b"\x10\xf7\2\x90\x3c", b"\x10\xff\x60\1a", b"\x40\x80\x3c\0", END)))
    assert events.duration == [96]


def test_tempi_at_the_same_tick_keep_their_order() -> None:
    tempi = b"\0\xff\x51\3\0\0\1", b"\0\xff\x51\3\0\0\2"
    assert parse(smf(track(*tempi, END), track(*tempi[::-1], beats(1), END))).tempi == [(0, 1), (0, 2), (0, 2), (0, 1)]
