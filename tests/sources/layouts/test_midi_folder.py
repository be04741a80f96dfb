"""A user's own folder of MIDI files is listed as people keep such folders, and its labels are taken at their word."""

import os
import sys
from pathlib import Path
from unicodedata import normalize

import pytest
from support.published_layouts import write_midi_folder

from kelly.runtime.errors import KellyError
from kelly.sources.layouts.midi_folder import list_pieces


def put(path: Path, *names: str) -> Path:
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(b"MThd")
    return path


def put_labels(path: Path, *rows: str, header: str = "file,valence,arousal") -> Path:
    (path / "labels.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def names(path: Path) -> list[str]:
    return [entry.name for entry in list_pieces(path).entries]


def labels(path: Path) -> dict[str, tuple[float | None, float | None]]:
    return {entry.name: (entry.valence, entry.arousal) for entry in list_pieces(path).entries}


def faults(path: Path) -> list[str]:
    with pytest.raises(KellyError) as caught:
        list_pieces(path)
    return str(caught.value).splitlines()[1:]


def test_files_of_all_endings_and_folders_are_listed_with_their_labels(tmp_path: Path) -> None:
    listing = list_pieces(write_midi_folder(tmp_path, num_pieces=8))
    assert listing.facts == {"files": 8, "labelled": 7}
    found = {entry.name: (entry.valence, entry.arousal) for entry in listing.entries}
    assert list(found) == sorted(found)
    assert found["take 0.mid"] == (0.75, 1.0)
    assert found["live/take 1.MID"] == (-0.5, 1.0)
    assert found["Stücke/alt/take 2.midi"] == (0.75, -0.25)
    assert found["live/take 7.MID"] == (None, None)


def test_a_folder_without_labels_is_listed_without_them(tmp_path: Path) -> None:
    listing = list_pieces(write_midi_folder(tmp_path, labels=False))
    assert listing.facts == {"files": 8, "labelled": 0}
    assert {entry.valence for entry in listing.entries} == {None}


def test_hidden_files_other_files_and_linked_folders_are_left_out(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere", "other.mid")
    path = put(
        tmp_path / "own", "a.mid", "._a.mid", ".git/b.mid", "__MACOSX/c.mid", "d.mid.txt", "e.wav", "mid", "f/g.MiDi"
    )
    (path / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (path / "loop").symlink_to(path, target_is_directory=True)
    (path / "linked.mid").symlink_to(tmp_path / "elsewhere/other.mid")
    assert names(path) == ["a.mid", "f/g.MiDi", "linked.mid"]


def test_a_folder_without_midi_files_says_what_it_holds(tmp_path: Path) -> None:
    put(tmp_path, "a.wav", "b/c.WAV", "d.txt", "e")
    with pytest.raises(
        KellyError, match=r"no MIDI files, found by ending: 2 × \.wav, 1 × (none|\.txt), .*; expected a"
    ):
        list_pieces(tmp_path)
    with pytest.raises(KellyError, match=r"d\.txt: cannot be read \(Not a directory\); expected a folder with"):
        list_pieces(tmp_path / "d.txt")


def test_names_that_macos_decomposes_are_the_names_of_the_labels(tmp_path: Path) -> None:
    composed, decomposed = (normalize(form, "Stücke/é.mid") for form in ("NFC", "NFD"))
    put_labels(put(tmp_path, decomposed), f"{composed},1,0")
    (entry,) = list_pieces(tmp_path).entries
    assert (entry.name, entry.valence, entry.arousal) == (composed, 1.0, 0.0)
    assert entry.path.is_file()
    put_labels(tmp_path, f"{decomposed},-1,0")
    assert labels(tmp_path) == {composed: (-1.0, 0.0)}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_two_files_of_one_name_and_names_that_are_no_unicode_are_unusable(tmp_path: Path) -> None:
    put(tmp_path, *(normalize(form, "é.mid") for form in ("NFC", "NFD")), "a.mid")
    (tmp_path / os.fsdecode(b"\xff.mid")).write_bytes(b"MThd")
    listing = list_pieces(tmp_path)
    assert [entry.name for entry in listing.entries] == ["a.mid", "é.mid"]
    assert listing.unusable == [
        {"file": "\\udcff.mid", "reason": "its name is not in UTF-8; rename it"},
        {"file": "é.mid", "reason": "another file has this name in other code points of Unicode; rename one"},
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_labels_may_be_what_a_spreadsheet_writes(tmp_path: Path, encoding: str, newline: str) -> None:
    put(tmp_path, 'a, "b".mid', "c.mid")
    text = ' file ,valence,key,arousal,\n"a, ""b"".mid", .5 ,C,-1\n,,,,,\nc.mid,1e-1,"D, E",+1.,,,\n,\n'
    (tmp_path / "labels.csv").write_text(text, encoding=encoding, newline=newline)
    assert labels(tmp_path) == {'a, "b".mid': (0.5, -1.0), "c.mid": (0.1, 1.0)}


def test_faults_of_the_labels_are_told_all_at_once(tmp_path: Path) -> None:
    put(tmp_path, "Take.mid", "live/second.mid", "a.mid", "b.mid")
    put_labels(
        tmp_path,
        "take.mid,0,0", "live/secnd.mid,0,0", "zzz,0,0", "a.mid,,1.01", "b.mid,0,0", "b.mid,0,0", "../a.mid,0,0",
        "live\\second.mid,0,0", 'a.mid,"0,5",0', "a.mid,0,0,0",
    )  # fmt: skip
    there = "is not there, expected a MIDI file of the folder"
    assert faults(tmp_path) == [
        f"line 2: file 'take.mid' {there}; the nearest name is 'Take.mid'",
        f"line 3: file 'live/secnd.mid' {there}; the nearest name is 'live/second.mid'",
        f"line 4: file 'zzz' {there}",
        "line 5: valence '', expected a number in -1..1",
        "line 5: arousal '1.01', expected a number in -1..1",
        "line 8: file '../a.mid', expected a path inside the folder such as a/b.mid",
        "line 9: file 'live\\\\second.mid', expected a path inside the folder such as a/b.mid",
        "line 10: valence '0,5', expected a number in -1..1",
        "line 11: 4 cells, expected 3",
        "file 'a.mid' stands in 2 rows, expected one",
    ]


def test_many_labels_of_missing_files_are_told_without_a_search_for_each(tmp_path: Path) -> None:
    put_labels(put(tmp_path, "1.mid"), *(f"{i}.mid,0,0" for i in range(2, 5_000)))
    with pytest.raises(KellyError, match="100 faults or more; correct the table") as caught:
        list_pieces(tmp_path)
    assert len(str(caught.value).splitlines()) == 11


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "columns file, valence, arousal missing or not alone, found none; expected a CSV file in UTF-8 with"),
        (b"file;valence;arousal\n", "columns file, valence, arousal missing or not alone, found file;valence;arousal"),
        (b"file,valence,arousal,file\n", "columns file missing or not alone, found file, valence, arousal, file"),
        ("file,valence,arousal\né.mid,0,0\n".encode("cp1252"), "labels.csv: not a CSV file in UTF-8 ('utf-8' codec"),
        (b'file,valence,arousal\n"a.mid,0,0\n', "not a CSV file in UTF-8 (unexpected end of data); expected a CSV"),
        (b'file,valence,arousal\n"a\nb",0,0\n', "line 3 has a cell of 3 characters that begins with 'a\\nb', expected"),
        (b"file,valence,arousal\n" + b"a" * 1_001 + b",0,0\n", "has a cell of 1001 characters"),
    ],
)
def test_labels_that_are_no_table_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    put(tmp_path, "a.mid", "labels.csv")
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(KellyError) as caught:
        list_pieces(tmp_path)
    assert message in str(caught.value)


def test_labels_in_a_file_of_another_case_are_not_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "a.mid", "Labels.CSV", "below/labels.csv")
    with pytest.raises(KellyError, match=r"found Labels\.CSV, expected labels\.csv in lower case; rename it"):
        list_pieces(tmp_path)
    (tmp_path / "Labels.CSV").unlink()
    assert list_pieces(tmp_path).facts == {"files": 1, "labelled": 0}
