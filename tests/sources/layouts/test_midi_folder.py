"""A user's folder of MIDI files, as people keep such folders, and its labels.csv."""

import os
import sys
from pathlib import Path
from unicodedata import normalize

import pytest
from support.published_layouts import errors, names, write_midi_folder

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


def labels(path: Path) -> dict[str, tuple[float | None, float | None]]:
    return {entry.name: (entry.valence, entry.arousal) for entry in list_pieces(path).entries}


def test_files_of_all_suffixes_and_folders_are_listed_with_their_labels(tmp_path: Path) -> None:
    manifest = list_pieces(write_midi_folder(tmp_path, num_pieces=8))
    assert manifest.facts == {"files": 8, "labelled": 7}
    labelled = labels(tmp_path)
    assert list(labelled) == sorted(labelled)
    assert labelled["take 0.mid"] == (0.75, 1.0)
    assert labelled["live/take 1.MID"] == (-0.5, 1.0)
    assert labelled["Stücke/alt/take 2.midi"] == (0.75, -0.25)
    assert labelled["live/take 7.MID"] == (None, None)
    (tmp_path / "labels.csv").unlink()
    assert list_pieces(tmp_path).facts == {"files": 8, "labelled": 0}
    assert set(labels(tmp_path).values()) == {(None, None)}


def test_hidden_files_other_files_and_linked_folders_are_left_out(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere", "other.mid")
    path = put(
        tmp_path / "own", "a.mid", "._a.mid", ".git/b.mid", "__MACOSX/c.mid", "d.mid.txt", "e.wav", "mid", "f/g.MiDi"
    )
    (path / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (path / "loop").symlink_to(path, target_is_directory=True)
    (path / "linked.mid").symlink_to(tmp_path / "elsewhere/other.mid")
    assert names(list_pieces(path)) == ["a.mid", "f/g.MiDi", "linked.mid"]


def test_a_folder_without_midi_files_is_an_error_with_the_suffixes_in_it(tmp_path: Path) -> None:
    put(tmp_path, "a.wav", "b/c.WAV", "d.txt", "e")
    with pytest.raises(KellyError, match=r"no MIDI files, but by suffix: 2 × \.wav, 1 × (none|\.txt)"):
        list_pieces(tmp_path)
    with pytest.raises(KellyError, match=r"d\.txt: set its path.*Not a directory"):
        list_pieces(tmp_path / "d.txt")


def test_names_that_macos_decomposes_match_the_labels(tmp_path: Path) -> None:
    composed, decomposed = (normalize(form, "Stücke/é.mid") for form in ("NFC", "NFD"))
    put_labels(put(tmp_path, decomposed), f"{composed},1,0")
    (entry,) = list_pieces(tmp_path).entries
    assert (entry.name, entry.valence, entry.arousal) == (composed, 1.0, 0.0)
    assert entry.path.is_file()
    put_labels(tmp_path, f"{decomposed},-1,0")
    assert labels(tmp_path) == {composed: (-1.0, 0.0)}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_two_files_with_one_name_and_names_that_are_not_unicode_are_unusable(tmp_path: Path) -> None:
    put(tmp_path, *(normalize(form, "é.mid") for form in ("NFC", "NFD")), "a.mid")
    (tmp_path / os.fsdecode(b"\xff.mid")).write_bytes(b"MThd")
    manifest = list_pieces(tmp_path)
    assert names(manifest) == ["a.mid", "é.mid"]
    assert manifest.unusable == [
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


def test_all_errors_of_the_labels_are_reported(tmp_path: Path) -> None:
    put(tmp_path, "Take.mid", "live/second.mid", "a.mid", "b.mid")
    put_labels(
        tmp_path, "take.mid,0,0", "live/secnd.mid,0,0", "zzz,0,0", "a.mid,,1.01", "b.mid,0,0", "b.mid,0,0",
        "../a.mid,0,0", "live\\second.mid,0,0", "a.mid,0,0,0",
    )  # fmt: skip
    assert errors(list_pieces, tmp_path) == [
        "line 2: file 'take.mid' does not exist; the nearest name is 'Take.mid'",
        "line 3: file 'live/secnd.mid' does not exist; the nearest name is 'live/second.mid'",
        "line 4: file 'zzz' does not exist",
        "line 5: valence ''",
        "line 5: arousal '1.01'",
        "line 7: file 'b.mid'",
        "line 8: file '../a.mid'",
        "line 9: file 'live\\\\second.mid'",
        "line 10: 4 cells",
    ]


def test_many_labels_of_missing_files_are_reported_without_a_search_for_each(tmp_path: Path) -> None:
    put_labels(put(tmp_path, "1.mid"), *(f"{i}.mid,0,0" for i in range(2, 5_000)))
    assert len(errors(list_pieces, tmp_path)) == 10


def test_labels_in_a_file_of_another_case_are_not_ignored(tmp_path: Path) -> None:
    put(tmp_path, "a.mid", "Labels.CSV", "below/labels.csv")
    with pytest.raises(KellyError, match=r"rename Labels\.CSV"):
        list_pieces(tmp_path)
    (tmp_path / "Labels.CSV").unlink()
    assert list_pieces(tmp_path).facts == {"files": 1, "labelled": 0}
