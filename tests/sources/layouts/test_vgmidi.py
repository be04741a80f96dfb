"""VGMIDI is listed with its labels wherever a release keeps the files, and faults are told all at once."""

from pathlib import Path

import pytest
from support.published_layouts import write_vgmidi

from kelly.runtime.errors import KellyError
from kelly.sources.layouts import vgmidi
from kelly.sources.layouts.listing import Listing


def names(listing: Listing) -> list[str]:
    return [entry.name for entry in listing.entries]


def test_phrases_have_their_labels_and_those_of_one_piece_are_one_group(tmp_path: Path) -> None:
    listing = vgmidi.list_pieces(write_vgmidi(tmp_path, num_pieces=8))
    assert listing.facts == {"phrases": 8, "pieces": 7}
    of_one = {entry.name[-6:]: entry for entry in listing.entries if entry.group == "8001"}
    assert {end: (entry.valence, entry.arousal) for end, entry in of_one.items()} == {
        "_0.mid": (1.0, 1.0), "_1.mid": (-1.0, 1.0),
    }  # fmt: skip
    assert any("Ghosts 'n Goblins_Boggys Igloo" in entry.name for entry in listing.entries)
    assert {entry.arousal for entry in listing.entries} == {1.0, -1.0}


def test_a_phrase_is_found_by_its_name_where_other_releases_keep_it(tmp_path: Path) -> None:
    before = names(vgmidi.list_pieces(write_vgmidi(tmp_path)))
    (tmp_path / "labelled/phrases").rename(tmp_path / "labelled/midi")
    after = vgmidi.list_pieces(tmp_path)
    assert names(after) == [name.replace("phrases", "midi") for name in before]
    (tmp_path / after.entries[0].name).unlink()
    listing = vgmidi.list_pieces(tmp_path)
    assert names(listing) == names(after)[1:]
    reason = "missing, and not in labelled/midi or labelled/phrases either; unpack the data set anew"
    assert listing.unusable == [{"file": before[0], "reason": reason}]


def test_faults_of_the_vgmidi_table_are_told_all_at_once(tmp_path: Path) -> None:
    table = tmp_path / vgmidi.TABLE
    rows = ("1,a.mid,1,x", ",a.mid,1.5,0", "2,C:\\b.mid,nan,-1", "3,,-.5,+5e-1")
    table.write_text("id,midi,valence,arousal\n" + "\n".join(rows) + "\n", encoding="utf-8")
    with pytest.raises(KellyError) as caught:
        vgmidi.list_pieces(tmp_path)
    assert str(caught.value).splitlines()[1:] == [
        "line 2: arousal 'x', expected a number in -1..1",
        "line 3: no id, expected one",
        "line 3: valence '1.5', expected a number in -1..1",
        "line 4: valence 'nan', expected a number in -1..1",
        "line 4: midi 'C:\\\\b.mid', expected a path inside the folder such as a/b.mid",
        "line 5: midi '', expected a path inside the folder such as a/b.mid",
        "midi 'a.mid' stands in 2 rows, expected one",
    ]
    (tmp_path / "labelled/midi").mkdir(parents=True)
    (tmp_path / "labelled/midi/a.mid").write_bytes(b"")
    table.write_text("id,midi,valence,arousal\n1,x/a.mid,1,1\n2,y/a.mid,1,1\n", encoding="utf-8")
    with pytest.raises(KellyError, match=r"the file 'labelled/midi/a\.mid' stands in 2 rows"):
        vgmidi.list_pieces(tmp_path)
