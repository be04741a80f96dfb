"""POP909 is listed with its annotations, which are read by the letter or refused with all that is wrong in them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.published_layouts import write_pop909

from kelly.runtime.errors import KellyError
from kelly.sources.layouts.pop909 import MAX_BYTES, list_pieces, read_beats, read_chords
from kelly.sources.music.chords import CHORDS, ROOTS, TEMPLATES, chord_index
from kelly.sources.readers.midi import read_midi


def file(path: Path, text: str | bytes) -> Path:
    (path / "annotation.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    return path / "annotation.txt"


def faults(reader: Callable[[Path], object], path: Path) -> list[str]:
    with pytest.raises(KellyError) as caught:
        reader(path)
    first, *others = str(caught.value).splitlines()
    assert first.startswith(f"{path}: {len(others)} faults; mend them or get the file anew")
    return others


@pytest.mark.parametrize("inside", ["", "POP909"])
def test_songs_have_their_annotations_and_no_versions(tmp_path: Path, inside: str) -> None:
    listing = list_pieces(write_pop909(tmp_path, num_pieces=6) / inside)
    assert listing.facts == {"songs": 6, "versions_left_out": 6}
    first = listing.entries[0]
    assert first.name == f"{'' if inside else 'POP909/'}001/001.mid"
    assert first.path == tmp_path / "POP909/001/001.mid"
    assert (first.beats, first.chords) == tuple(tmp_path / f"POP909/001/{sort}_midi.txt" for sort in ("beat", "chord"))
    assert {(entry.group, entry.predefined_split) for entry in listing.entries} == {("", "")}


def test_a_song_that_lacks_a_file_is_unusable(tmp_path: Path) -> None:
    write_pop909(tmp_path, num_pieces=6)
    for name in ("002/002.mid", "004/beat_midi.txt", "005/beat_midi.txt", "005/chord_midi.txt"):
        (tmp_path / "POP909" / name).unlink()
    listing = list_pieces(tmp_path)
    assert [entry.name for entry in listing.entries] == [f"POP909/00{i}/00{i}.mid" for i in (1, 3, 6)]
    assert listing.unusable == [
        {"file": "POP909/002/002.mid", "reason": "002.mid missing, expected beside each other"},
        {"file": "POP909/004/004.mid", "reason": "beat_midi.txt missing, expected beside each other"},
        {"file": "POP909/005/005.mid", "reason": "beat_midi.txt, chord_midi.txt missing, expected beside each other"},
    ]


def test_a_folder_without_songs_says_what_was_found(tmp_path: Path) -> None:
    (tmp_path / "POP909/1").mkdir(parents=True)
    with pytest.raises(KellyError, match=r"POP909: found 1/, expected POP909, set its path to the repository or"):
        list_pieces(tmp_path)


def test_annotations_are_true_of_the_notes(tmp_path: Path) -> None:
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
            there = (onsets_s > onset_s - 0.01) & (onsets_s < end_s - 0.01) & (midi.notes.pitch < 60)
            expected = {(ROOTS.index(root) + tone) % 12 for tone in TEMPLATES[kind]}
            assert set((midi.notes.pitch[there] % 12).tolist()) == expected


@pytest.mark.parametrize(
    "text",
    [
        "0.0553 1.0 1.0\n0.7219 0.0 0.0\n1.3886 1.0 0.0",
        "0.0553 1 1\r\n0.7219 0 0\r\n1.3886 1 0\r\n\r\n\r\n",
        "\ufeff 0.0553\t1.0\t1.0 \n\n.7219  0. 0.0\n1.3886e0 1.0 0.0\n\n \n",
    ],
)
def test_the_third_column_marks_the_beats_that_begin_a_bar(tmp_path: Path, text: str) -> None:
    beats_s, begins_bar = read_beats(file(tmp_path, text))
    assert beats_s.dtype == np.float64
    assert begins_bar.dtype == np.bool_
    assert beats_s.tolist() == [0.0553, 0.7219, 1.3886]
    assert begins_bar.tolist() == [True, False, False]


def test_faults_of_beats_are_told_with_their_lines(tmp_path: Path) -> None:
    path = file(
        tmp_path, "0.5 1.0 1.0\n\n0.5 0.0 0.0\nnan 1.0 0.0\n1e999 0 0\n2.0 0.5 1.0\n3.0 1.0\n4.0 1.0 1.0 1.0\n1 x 0\n"
    )
    flags = "expected a time and two of 0.0 or 1.0"
    assert faults(read_beats, path) == [
        "line 3: 0.5 s after 0.5 s, expected rising times",
        "line 4: 'nan', expected a time in seconds",
        "line 5: '1e999', expected a time in seconds",
        f"line 6: '2.0 0.5 1.0', {flags}",
        f"line 7: '3.0 1.0', {flags}",
        f"line 8: '4.0 1.0 1.0 1.0', {flags}",
        f"line 9: '1 x 0', {flags}",
    ]


@pytest.mark.parametrize(("text", "number"), [("", 0), ("\n\n", 0), ("0.5 1.0 1.0\n", 1)])
def test_a_song_needs_two_beats(tmp_path: Path, text: str, number: int) -> None:
    assert faults(read_beats, file(tmp_path, text)) == [f"{number} beats, expected at least 2"]


def test_chords_are_read_as_published(tmp_path: Path) -> None:
    text = "0.055333\t0.721998\tN\n13.38 14.05  F#:maj7/5\r\n14.0495\t255.12708099999998\tBb:sus4\n\n"
    expected = [(0.055333, 0.721998, "N"), (13.38, 14.05, "F#:maj7/5"), (14.0495, 255.12708099999998, "Bb:sus4")]
    assert read_chords(file(tmp_path, text)) == expected


def test_faults_of_chords_are_told_with_their_lines(tmp_path: Path) -> None:
    path = file(tmp_path, "0\t2\tC:maj\n1.5\t3\tN\n3\t3\tA:min\n4\tinf\tN\n5\t6\n\n5\t6\tG:maj x\nx\ty\tN\n")
    three = "expected an onset, an end and a chord"
    assert faults(read_chords, path) == [
        "line 3: from 3.0 to 3.0 s, expected an end after the onset",
        "line 4: 'inf', expected a time in seconds",
        f"line 5: '5 6', {three}",
        f"line 7: '5 6 G:maj x', {three}",
        "line 8: 'x', expected a time in seconds",
        "line 8: 'y', expected a time in seconds",
        "line 2: begins at 1.5 s, before the end of the last chord at 2.0 s",
    ]
    assert faults(read_chords, file(tmp_path, "\n")) == ["0 chords, expected at least 1"]


@pytest.mark.parametrize("reader", [read_beats, read_chords])
def test_annotations_that_are_no_text_or_not_there_are_refused(
    tmp_path: Path, reader: Callable[[Path], object]
) -> None:
    with pytest.raises(KellyError, match=r"annotation\.txt: not a text in UTF-8"):
        reader(file(tmp_path, b"\xff\xfe0"))
    with pytest.raises(KellyError, match=f"expected at most {MAX_BYTES}"):
        reader(file(tmp_path, b" " * (MAX_BYTES + 1)))
    with pytest.raises(KellyError, match=r"missing\.txt: cannot be read \(No such file or directory\); expected the"):
        reader(tmp_path / "missing.txt")
