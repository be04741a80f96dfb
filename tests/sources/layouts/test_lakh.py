"""Lakh is listed in full or matched to tracks, where files that songs share keep the songs process_group."""

import shutil
from pathlib import Path

import pytest
from support.published_layouts import write_lakh_full, write_lakh_matched

from kelly.runtime.errors import KellyError
from kelly.sources.layouts import lakh
from kelly.sources.layouts.listing import Listing


def names(listing: Listing) -> list[str]:
    return [entry.name for entry in listing.entries]


def test_lakh_is_listed_in_full_without_what_is_not_named_by_its_sum(tmp_path: Path) -> None:
    path = write_lakh_full(tmp_path)
    for name in ("0/notes.mid", "a/x.txt", "a/._0123456789abcdef0123456789abcdef.mid", f"x/{32 * '0'}.mid"):
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_bytes(b"")
    listing = lakh.list_pieces(path)
    assert listing.facts == {"kind": "full", "files": 8, "other_files_left_out": 2}
    assert {entry.group for entry in listing.entries} == {""}
    above = lakh.list_pieces(tmp_path)
    assert names(above) == [f"lmd_full/{name}" for name in names(listing)]
    assert [entry.path for entry in above.entries] == [entry.path for entry in listing.entries]


@pytest.mark.parametrize("inside", ["", "lmd_matched"])
def test_tracks_that_share_a_file_are_one_group_and_list_it_once(tmp_path: Path, inside: str) -> None:
    write_lakh_matched(tmp_path, num_pieces=12)
    listing = lakh.list_pieces(tmp_path / inside)
    assert listing.facts == {
        "kind": "matched", "files": 12, "tracks": 6, "groups": 5, "same_file_left_out": 1, "other_files_left_out": 0,
    }  # fmt: skip
    of_track = {entry.name.split("/")[-2]: entry.group for entry in listing.entries}
    tracks = sorted(of_track, key=lambda track: track[-1])
    assert [of_track[track] for track in tracks] == [tracks[0], tracks[0], *tracks[2:]]
    counts = [sum(entry.name.split("/")[-2] == track for entry in listing.entries) for track in tracks]
    assert counts == [2] * 6  # the shared file stands under the first of its tracks


def test_a_chain_of_shared_files_is_one_group(tmp_path: Path) -> None:
    files = {"TRA": "ab", "TRB": "bc", "TRC": "cd", "TRD": "e", "TRE": "a"}
    for track, sums in files.items():
        for digit in sums:
            path = tmp_path / f"A/A/A/{track}/{32 * digit}.mid"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
    listing = lakh.list_pieces(tmp_path)
    groups = [(entry.name.split("/")[3], entry.group) for entry in listing.entries]
    assert groups == [("TRA", "TRA"), ("TRA", "TRA"), ("TRB", "TRA"), ("TRC", "TRA"), ("TRD", "TRD")]
    assert (listing.facts["groups"], listing.facts["same_file_left_out"]) == (2, 3)


def test_both_kinds_of_lakh_in_one_folder_ask_for_one(tmp_path: Path) -> None:
    write_lakh_full(tmp_path)
    write_lakh_matched(tmp_path)
    with pytest.raises(KellyError, match=r"found lmd_full and lmd_matched, expected .* set its path to one of these"):
        lakh.list_pieces(tmp_path)
    shutil.rmtree(tmp_path / "lmd_full")
    assert lakh.list_pieces(tmp_path).facts["kind"] == "matched"


def test_a_folder_that_is_not_lakh_says_what_was_found(tmp_path: Path) -> None:
    for name in ("a/song.mid", "b/1", "c/1", "d/1", "e/1", "f/1", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(KellyError, match=r"found a/, b/, c/, d/, e/ and 2 more, expected the Lakh MIDI Dataset"):
        lakh.list_pieces(tmp_path)
