"""The strict MIDI parser of the fuzz tests reads whatever the standard allows, and rejects whatever it forbids."""

import re

import pytest
from support.fuzz_inputs import END, beats, seeds, smf, track
from support.smf import parse

from kelly.runtime.errors import KellyError

NOTE = b"\0\x90\x3c\x40\x60\x80\x3c\0"  # middle C of 96 ticks


@pytest.mark.parametrize("data", seeds("midi"))
def test_valid_files_are_read(data: bytes) -> None:
    assert parse(data).notes


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (b"\0\x90\x3c\x40\0\xff\1\1a\x60\x3c\0" + END, "data 60 without a status"),  # after a meta event
        (b"\0\x90\x3c\x40\0\xf0\2\1\xf7\x60\x3c\0" + END, "data 60 without a status"),  # after system exclusive
        (b"\0\x3c\x40" + END, "data 60 without a status"),
        (b"\0\x90\x3c\xc8\x60\x80\x3c\0" + END, "data 60 and 200, expected at most 127"),
        (b"\0\x90\xbc\x40" + END, "data 188 and 64, expected at most 127"),
        *((b"\0" + bytes([n, 1]) + NOTE + END, f"status {n:#x}") for n in (*range(0xF1, 0xF7), *range(0xF8, 0xFF))),
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
    with pytest.raises(KellyError, match=re.escape(message)):
        parse(smf(track(events)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (smf(track(NOTE, END), track(NOTE, END), num_tracks=1), "2 tracks, the header announces 1"),
        (smf(track(NOTE, END), num_tracks=2), "1 tracks, the header announces 2"),
        (smf(track(NOTE, b"\0\xff\1\4MTrk", END), num_tracks=2), "1 tracks, the header announces 2"),
        (smf(track(NOTE, END), track(NOTE, END), kind=0), "MIDI format 0 with 2 tracks, expected 1"),
        (smf(track(NOTE, END))[:-1], "truncated: 11 bytes of track 1, which announces 12"),
        (b"MThd\0\0\0\5" + smf(track(NOTE, END))[8:], "truncated: a header of 5 bytes"),
        (b"MThd", "truncated: a header of 0 bytes"),
    ],
)
def test_tracks_that_do_not_match_the_header_are_rejected(data: bytes, message: str) -> None:
    with pytest.raises(KellyError, match=re.escape(message)):
        parse(data)


def test_a_longer_header_and_trailing_bytes_are_ignored() -> None:
    plain = smf(track(NOTE, END))
    longer = plain[:4] + b"\0\0\0\x08" + plain[8:14] + b"ab" + plain[14:]
    assert parse(longer) == parse(plain) == parse(plain + b"\0\0\0") == parse(plain + b"junk of any length")


def test_a_note_off_ends_the_earliest_note_and_a_note_without_one_lasts_to_the_end_of_its_track() -> None:
    nested = parse(
        smf(track(b"\0\x90\x3c\x40", b"\x10\x3c\x50", b"\x10\x3c\0", b"\x10\x3d\x60", b"\x10\x3c\0", b"\x20" + END[1:]))
    )
    assert [note[:2] for note in nested.notes] == [[0, 32], [16, 48], [48, 48]]
    other = parse(smf(track(b"\0\x90\x3c\x40" + END), track(b"\x60\x80\x3c\0" + END)))
    assert other.notes == [[0, 0, 60, 64, 0, 0]]  # a note off of another track does not end it


def test_escaped_and_unknown_meta_events_have_their_delta_time() -> None:
    events = parse(smf(track(b"\0\x90\x3c\x40", b"\x10\xf7\2\x90\x3c", b"\x10\xff\x60\1a", b"\x40\x80\x3c\0", END)))
    assert events.notes == [[0, 96, 60, 64, 0, 0]]


def test_tempi_at_the_same_tick_keep_their_order() -> None:
    tempi = b"\0\xff\x51\3\0\0\1", b"\0\xff\x51\3\0\0\2"
    assert parse(smf(track(*tempi, END), track(*tempi[::-1], beats(1), END))).tempi == [(0, 1), (0, 2), (0, 2), (0, 1)]
