"""Annotations of beats and chords are read exactly, or rejected with all errors at once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.broken_files import rejection
from support.published_layouts import write_pop909

from kelly.features.vocabulary import CHORDS, ROOTS
from kelly.sources.layouts.pop909 import list_pieces
from kelly.sources.music.chords import TEMPLATES, chord_index
from kelly.sources.readers.annotations import MAX_BYTES, read_beats, read_chords
from kelly.sources.readers.midi import read_midi


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "annotation.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def errors(reader: Callable[[Path], object], path: Path) -> list[str]:
    """The lines of the message after the first, which contains the number of errors."""
    first, *lines = rejection(reader, path).splitlines()
    assert f"{len(lines)} error" in first
    return lines


def test_annotations_match_the_notes(tmp_path: Path) -> None:
    for entry in list_pieces(write_pop909(tmp_path)).entries:
        assert entry.beats is not None
        assert entry.chords is not None
        midi = read_midi(entry.path)
        beats_s, begins_bar = read_beats(entry.beats)
        assert begins_bar.tolist() == [True, False, False, False] * 8
        onsets_s = midi.notes.onset_s
        assert np.abs(onsets_s[:, None] - beats_s[begins_bar][1:]).min(axis=0).max() < 1e-4
        chords = read_chords(entry.chords)
        assert [label for *_, label in chords[:4]] == ["N"] * 4
        assert len(chords) == 4 + 7
        for onset_s, end_s, label in chords[4:]:
            root, kind = CHORDS[chord_index(label)].split(":")
            sounding = (onsets_s > onset_s - 0.01) & (onsets_s < end_s - 0.01) & (midi.notes.pitch < 60)
            expected = {(ROOTS.index(root) + tone) % 12 for tone in TEMPLATES[kind]}
            assert set((midi.notes.pitch[sounding] % 12).tolist()) == expected


@pytest.mark.parametrize(
    "text",
    [
        "0.0553 1.0 1.0\n0.7219 0.0 0.0\n1.3886 1.0 0.0",
        "0.0553 1 1\r\n0.7219 0 0\r\n1.3886 1 0\r\n\r\n\r\n",
        "\ufeff 0.0553\t1.0\t1.0 \n\n.7219  0. 0.0\n1.3886e0 1.0 0.0\n\n \n",
    ],
)
def test_the_third_column_marks_the_beats_that_begin_a_bar(tmp_path: Path, text: str) -> None:
    beats_s, begins_bar = read_beats(write(tmp_path, text))
    assert beats_s.dtype == np.float64
    assert begins_bar.dtype == np.bool_
    assert beats_s.tolist() == [0.0553, 0.7219, 1.3886]
    assert begins_bar.tolist() == [True, False, False]


def test_errors_of_beats_are_reported_with_their_lines(tmp_path: Path) -> None:
    text = "0.5 1.0 1.0\n\n0.5 0.0 0.0\nnan 1.0 0.0\n1e999 0 0\n2.0 0.5 1.0\n3.0 1.0\n4.0 1.0 1.0 1.0\n1 x 0\n"
    found = errors(read_beats, write(tmp_path, text))
    assert {int(line.split()[1].rstrip(":")) for line in found} == {3, 4, 5, 6, 7, 8, 9}
    assert any("line 4: time 'nan'" in line for line in found)
    assert any("line 6: half_bar '0.5'" in line for line in found)


@pytest.mark.parametrize(("text", "number"), [("", 0), ("\n\n", 0), ("0.5 1.0 1.0\n", 1)])
def test_a_song_needs_two_beats(tmp_path: Path, text: str, number: int) -> None:
    assert errors(read_beats, write(tmp_path, text)) == [f"{number} rows, expected at least 2"]


def test_chords_are_read_as_published(tmp_path: Path) -> None:
    text = "0.055333\t0.721998\tN\n13.38 14.05  F#:maj7/5\r\n14.0495\t255.12708099999998\tBb:sus4\n\n"
    expected = [(0.055333, 0.721998, "N"), (13.38, 14.05, "F#:maj7/5"), (14.0495, 255.12708099999998, "Bb:sus4")]
    assert read_chords(write(tmp_path, text)) == expected


def test_errors_of_chords_are_reported_with_their_lines(tmp_path: Path) -> None:
    text = "0\t2\tC:maj\n1.5\t3\tN\n3\t3\tA:min\n4\tinf\tN\n5\t6\n\n5\t6\tG:maj x\nx\ty\tN\n"
    found = errors(read_chords, write(tmp_path, text))
    assert [line.partition(":")[0] for line in found] == [f"line {line}" for line in (2, 3, 4, 5, 7, 8, 8)]
    assert errors(read_chords, write(tmp_path, "\n")) == ["0 rows, expected at least 1"]


@pytest.mark.parametrize("reader", [read_beats, read_chords])
@pytest.mark.parametrize("content", [b"\xff\xfe0", b" " * (MAX_BYTES + 1)])
def test_what_is_not_a_text_file_is_rejected(tmp_path: Path, reader: Callable[[Path], object], content: bytes) -> None:
    rejection(reader, write(tmp_path, content))
    assert "No such file" in rejection(reader, tmp_path / "missing.txt")
