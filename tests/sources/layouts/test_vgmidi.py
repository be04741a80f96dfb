"""VGMIDI is listed with its ratings wherever a release keeps the files, and all errors of its table are reported."""

from pathlib import Path

import pytest
from support.published_layouts import errors, names, write_vgmidi

from kelly.runtime.errors import KellyError
from kelly.sources.layouts import vgmidi


def test_phrases_have_their_ratings_and_those_of_one_piece_are_a_group(tmp_path: Path) -> None:
    manifest = vgmidi.list_pieces(write_vgmidi(tmp_path, num_pieces=8))
    assert manifest.facts == {"phrases": 8, "pieces": 7}
    ratings = {entry.name[-6:]: (entry.valence, entry.arousal) for entry in manifest.entries if entry.group == "8001"}
    assert ratings == {"_0.mid": (1.0, 1.0), "_1.mid": (-1.0, 1.0)}
    assert any("Ghosts 'n Goblins_Boggys Igloo" in entry.name for entry in manifest.entries)
    assert {entry.arousal for entry in manifest.entries} == {1.0, -1.0}


def test_a_phrase_is_found_by_its_name_where_other_releases_keep_it(tmp_path: Path) -> None:
    before = names(vgmidi.list_pieces(write_vgmidi(tmp_path)))
    (tmp_path / "labelled/phrases").rename(tmp_path / "labelled/midi")
    after = vgmidi.list_pieces(tmp_path)
    assert names(after) == [name.replace("phrases", "midi") for name in before]
    (tmp_path / after.entries[0].name).unlink()
    manifest = vgmidi.list_pieces(tmp_path)
    assert names(manifest) == names(after)[1:]
    assert [(file["file"], "missing" in file["reason"]) for file in manifest.unusable] == [(before[0], True)]


def test_all_errors_of_the_table_are_reported(tmp_path: Path) -> None:
    table = tmp_path / vgmidi.TABLE
    rows = ("1,a.mid,1,x", ",a.mid,1.5,0", "2,C:\\b.mid,nan,-1", "3,,-.5,+5e-1")
    table.write_text("id,midi,valence,arousal\n" + "\n".join(rows) + "\n", encoding="utf-8")
    assert errors(vgmidi.list_pieces, tmp_path) == [
        "line 2: arousal 'x'",
        "line 3: id ''",
        "line 3: valence '1.5'",
        "line 3: midi 'a.mid'",
        "line 4: valence 'nan'",
        "line 4: midi 'C:\\\\b.mid'",
        "line 5: midi ''",
    ]


def test_two_phrases_cannot_share_a_file(tmp_path: Path) -> None:
    (tmp_path / "labelled/midi").mkdir(parents=True)
    (tmp_path / "labelled/midi/a.mid").write_bytes(b"")
    (tmp_path / vgmidi.TABLE).write_text("id,midi,valence,arousal\n1,x/a.mid,1,1\n2,y/a.mid,1,1\n")
    with pytest.raises(KellyError, match=r"give each phrase a file.*\nline 3: file 'labelled/midi/a\.mid'"):
        vgmidi.list_pieces(tmp_path)
