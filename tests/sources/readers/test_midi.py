"""MIDI files are read as arrays, and broken ones are rejected with their name and the reason."""

import os
from functools import partial
from pathlib import Path

import mido
import numpy as np
import pytest
from support import broken_files
from support.broken_files import splice

from kelly.sources.readers import midi
from kelly.sources.readers.midi import read_midi

Event = tuple[int, mido.Message | mido.MetaMessage]


def write(path: Path, *tracks: list[Event], ticks_per_beat: int = 480) -> Path:
    """Write events of absolute ticks as a MIDI file of format 1."""
    file = mido.MidiFile(ticks_per_beat=ticks_per_beat)
    for events in tracks:
        track, now = mido.MidiTrack(), 0
        for tick, message in sorted(events, key=lambda event: event[0]):
            track.append(message.copy(time=tick - now))
            now = tick
        file.tracks.append(track)
    file.save(path)
    return path


def note(tick: int, pitch: int, velocity: int, ticks: int = 120, channel: int = 0) -> list[Event]:
    return [
        (tick, mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)),
        (tick + ticks, mido.Message("note_off", channel=channel, note=pitch)),
    ]


rejection = partial(broken_files.rejection, read_midi)


def test_notes_are_in_order_with_times_by_the_tempo_map(tmp_path: Path) -> None:
    tempi: list[Event] = [
        (0, mido.MetaMessage("set_tempo", tempo=500_000)),
        (0, mido.MetaMessage("time_signature", numerator=3, denominator=4)),
        (960, mido.MetaMessage("set_tempo", tempo=1_000_000)),
    ]
    piano, drums = note(720, 60, 90, ticks=480) + note(0, 64, 70), note(0, 36, 50, channel=9)
    read = read_midi(write(tmp_path / "a.mid", tempi, piano, drums))
    notes = read.notes
    assert read.ticks_per_quarter == 480
    assert notes.pitch.tolist() == [36, 64, 60]
    assert notes.velocity.tolist() == [50, 70, 90]
    assert notes.is_drum.tolist() == [True, False, False]
    assert notes.onset_quarters.tolist() == [0.0, 0.0, 1.5]
    assert notes.duration_quarters.tolist() == [0.25, 0.25, 1.0]
    np.testing.assert_allclose(notes.onset_s, [0.0, 0.0, 0.75])
    np.testing.assert_allclose(notes.duration_s, [0.125, 0.125, 0.75])  # a quarter of a second before the change
    np.testing.assert_allclose(read.seconds([0.0, 2.0, 3.0]), [0.0, 1.0, 2.0])
    np.testing.assert_allclose(read.bpm([0.0, 1.9, 2.0]), [120.0, 120.0, 60.0])
    assert read.time_signatures.tolist() == [[0, 3, 4]]


def test_the_default_tempo_and_metre_are_those_of_the_standard(tmp_path: Path) -> None:
    read = read_midi(write(tmp_path / "a.mid", note(480, 60, 90)))
    assert read.tempi.tolist() == [[0, 500_000]]
    assert read.time_signatures.tolist() == [[0, 4, 4]]
    assert read.notes.onset_s.tolist() == [0.5]


def test_damage_is_reported_with_the_message_of_the_library(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mid", note(0, 60, 90) + note(480, 62, 80))
    path.write_bytes(path.read_bytes().replace(bytes([0x90, 60, 90]), bytes([0x90, 60, 200])))
    assert "damaged (OSError: data byte must be in range 0..127)" in rejection(path)


def test_a_file_that_two_libraries_read_differently_is_rejected(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mid", [(10, mido.UnknownMetaMessage(0x60, data=[1])), *note(480, 62, 80)])
    assert "read different notes" in rejection(path)


def test_a_note_that_is_never_released_lasts_to_the_end_of_its_track(tmp_path: Path) -> None:
    events = [note(0, 60, 90)[0], *note(480, 62, 80, ticks=960)]
    assert read_midi(write(tmp_path / "a.mid", events)).notes.duration_quarters.tolist() == [3.0, 2.0]


def test_tempi_of_all_tracks_are_merged(tmp_path: Path) -> None:
    tempi: list[list[Event]] = [[(480 * i, mido.MetaMessage("set_tempo", tempo=250_000 * (i + 1)))] for i in (3, 0, 1)]
    read = read_midi(write(tmp_path / "a.mid", *tempi, note(0, 60, 90)))
    assert read.tempi.tolist() == [[0, 250_000], [480, 500_000], [1440, 1_000_000]]


def test_what_is_not_a_midi_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(b"RIFF and so on, long enough")
    assert "not a MIDI file: it begins with b'RIFF'" in rejection(tmp_path / "a.mid")
    (tmp_path / "empty.mid").write_bytes(b"")
    assert "not a MIDI file" in rejection(tmp_path / "empty.mid")
    assert "No such file" in rejection(tmp_path / "missing.mid")


def test_a_file_cut_anywhere_is_rejected(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mid", note(0, 60, 90) + note(480, 62, 80), note(0, 48, 70))
    for length in reversed(range(4, path.stat().st_size)):
        os.truncate(path, length)
        assert "truncated" in rejection(path), length


def test_a_file_without_notes_is_rejected(tmp_path: Path) -> None:
    assert "no notes" in rejection(write(tmp_path / "a.mid", [(0, mido.MetaMessage("set_tempo", tempo=500_000))]))


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        (8, 2, "MIDI format 2, expected 0 or 1"),
        *((12, n, f"division {n}, expected 1 to 32767") for n in (0, 0x8000, 0xE728)),
    ],
)
def test_another_format_or_time_base_is_rejected(tmp_path: Path, position: int, value: int, message: str) -> None:
    path = splice(write(tmp_path / "a.mid", note(0, 60, 90)), position, position + 2, value.to_bytes(2, "big"))
    assert message in rejection(path)


def test_a_tempo_of_zero_is_rejected(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mid", [(0, mido.MetaMessage("set_tempo", tempo=0)), *note(0, 60, 90)])
    assert "a tempo of 0 µs per quarter, expected at least 6000" in rejection(path)


def test_absurd_sizes_are_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "quarters" in rejection(write(tmp_path / "long.mid", note(200_000_000, 60, 90)))
    slow: list[Event] = [(0, mido.MetaMessage("set_tempo", tempo=16_000_000)), *note(480 * 10_000, 60, 90)]
    assert "160004 s long" in rejection(write(tmp_path / "slow.mid", slow))
    past_32_bits = [event for i in range(1, 12) for event in note(i * 250_000_000, 60, 90)]
    assert "longer than 2147483647 ticks" in rejection(write(tmp_path / "longest.mid", past_32_bits))
    late: list[Event] = [(200_000_000, mido.MetaMessage("set_tempo", tempo=500_000)), *note(0, 60, 90)]
    assert "expected at most 200000 quarters" in rejection(write(tmp_path / "late.mid", late))
    path = write(tmp_path / "a.mid", note(0, 60, 90) + note(480, 62, 80))
    monkeypatch.setattr(midi, "MAX_NOTES", 1)
    assert "2 notes, expected at most 1" in rejection(path)
    monkeypatch.setattr(midi, "MAX_BYTES", 20)
    assert "expected at most 20" in rejection(path)
