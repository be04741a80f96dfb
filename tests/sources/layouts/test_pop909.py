"""Songs of POP909 are listed with their annotations."""

from pathlib import Path

import pytest
from support.published_layouts import names, write_pop909

from kelly.runtime.errors import KellyError
from kelly.sources.layouts.pop909 import list_pieces


@pytest.mark.parametrize("inside", ["", "POP909"])
def test_songs_have_their_annotations_and_no_versions(tmp_path: Path, inside: str) -> None:
    manifest = list_pieces(write_pop909(tmp_path, num_pieces=6) / inside)
    assert manifest.facts == {"songs": 6, "versions_left_out": 6}
    first = manifest.entries[0]
    assert first.name == f"{'' if inside else 'POP909/'}001/001.mid"
    assert first.path == tmp_path / "POP909/001/001.mid"
    assert (first.beats, first.chords) == tuple(tmp_path / f"POP909/001/{sort}_midi.txt" for sort in ("beat", "chord"))
    assert {(entry.group, entry.predefined_split) for entry in manifest.entries} == {("", "")}


def test_a_song_that_lacks_a_file_is_unusable(tmp_path: Path) -> None:
    write_pop909(tmp_path, num_pieces=6)
    for name in ("002/002.mid", "004/beat_midi.txt", "005/beat_midi.txt", "005/chord_midi.txt"):
        (tmp_path / "POP909" / name).unlink()
    manifest = list_pieces(tmp_path)
    assert names(manifest) == [f"POP909/00{i}/00{i}.mid" for i in (1, 3, 6)]
    assert [(file["file"], file["reason"].split(" missing")[0]) for file in manifest.unusable] == [
        ("POP909/002/002.mid", "002.mid"),
        ("POP909/004/004.mid", "beat_midi.txt"),
        ("POP909/005/005.mid", "beat_midi.txt, chord_midi.txt"),
    ]


def test_a_folder_without_songs_is_an_error_with_the_names_in_it(tmp_path: Path) -> None:
    (tmp_path / "POP909/1").mkdir(parents=True)
    with pytest.raises(KellyError, match=r"set its path to the repository.*found 1/"):
        list_pieces(tmp_path)
