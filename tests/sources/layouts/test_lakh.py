"""Lakh is listed in full or matched to tracks; tracks that share a file are one group."""

import shutil
from pathlib import Path

import pytest
from support.published_layouts import names, write_lakh_full, write_lakh_matched

from kelly.runtime.errors import KellyError
from kelly.sources.layouts import lakh


def test_files_that_are_not_named_by_their_md5_sum_are_left_out(tmp_path: Path) -> None:
    path = write_lakh_full(tmp_path)
    for name in ("0/notes.mid", "a/x.txt", "a/._0123456789abcdef0123456789abcdef.mid", f"x/{32 * '0'}.mid"):
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_bytes(b"")
    manifest = lakh.list_pieces(path)
    assert manifest.facts == {"kind": "full", "files": 8, "other_files_left_out": 2}
    assert {entry.group for entry in manifest.entries} == {""}
    above = lakh.list_pieces(tmp_path)
    assert names(above) == [f"lmd_full/{name}" for name in names(manifest)]
    assert [entry.path for entry in above.entries] == [entry.path for entry in manifest.entries]


@pytest.mark.parametrize("inside", ["", "lmd_matched"])
def test_tracks_that_share_a_file_are_one_group_and_list_it_once(tmp_path: Path, inside: str) -> None:
    write_lakh_matched(tmp_path, num_pieces=12)
    manifest = lakh.list_pieces(tmp_path / inside)
    assert manifest.facts == {
        "kind": "matched", "files": 12, "tracks": 6, "groups": 5, "same_file_left_out": 1, "other_files_left_out": 0,
    }  # fmt: skip
    of_track = {entry.name.split("/")[-2]: entry.group for entry in manifest.entries}
    tracks = sorted(of_track, key=lambda track: track[-1])
    assert [of_track[track] for track in tracks] == [tracks[0], tracks[0], *tracks[2:]]
    counts = [sum(entry.name.split("/")[-2] == track for entry in manifest.entries) for track in tracks]
    assert counts == [2] * 6  # the shared file is in the first of its tracks


def test_a_chain_of_shared_files_is_one_group(tmp_path: Path) -> None:
    files = {"TRA": "ab", "TRB": "bc", "TRC": "cd", "TRD": "e", "TRE": "a"}
    for track, sums in files.items():
        for digit in sums:
            path = tmp_path / f"A/A/A/{track}/{32 * digit}.mid"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
    manifest = lakh.list_pieces(tmp_path)
    groups = [(entry.name.split("/")[3], entry.group) for entry in manifest.entries]
    assert groups == [("TRA", "TRA"), ("TRA", "TRA"), ("TRB", "TRA"), ("TRC", "TRA"), ("TRD", "TRD")]
    assert (manifest.facts["groups"], manifest.facts["same_file_left_out"]) == (2, 3)


def test_a_folder_with_both_kinds_is_an_error(tmp_path: Path) -> None:
    write_lakh_full(tmp_path)
    write_lakh_matched(tmp_path)
    with pytest.raises(KellyError, match=r"set its path to.*; found lmd_full and lmd_matched"):
        lakh.list_pieces(tmp_path)
    shutil.rmtree(tmp_path / "lmd_full")
    assert lakh.list_pieces(tmp_path).facts["kind"] == "matched"


def test_another_folder_is_an_error_with_the_names_in_it(tmp_path: Path) -> None:
    for name in ("a/song.mid", "b/1", "c/1", "d/1", "e/1", "f/1", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(KellyError, match="found a/, b/, c/, d/, e/ and 2 more"):
        lakh.list_pieces(tmp_path)
