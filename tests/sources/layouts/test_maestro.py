"""MAESTRO is listed on its published sides, works whole, and faults of its table are told all at once."""

from pathlib import Path

import pytest
from support.published_layouts import write_maestro

from kelly.runtime.errors import KellyError
from kelly.sources.layouts import maestro
from kelly.sources.layouts.listing import Listing


def names(listing: Listing) -> list[str]:
    return [entry.name for entry in listing.entries]


def test_maestro_honours_its_split_and_groups_the_performances_of_a_work(tmp_path: Path) -> None:
    listing = maestro.list_pieces(write_maestro(tmp_path, num_pieces=8))
    assert listing.facts == {"performances": {"train": 4, "validation": 2, "test": 2}, "works": 4}
    by_name = sorted(listing.entries, key=lambda entry: entry.name.rpartition("Track")[2])
    sides = [entry.predefined_split for entry in by_name]
    assert sides == ["train", "train", "validation", "validation", "test", "test", "train", "train"]
    groups = [entry.group for entry in by_name]
    assert groups[0::2] == groups[1::2]
    assert groups[0] == 'alexander scriabin: sonata no. 9, op. 68, "black mass"'
    assert groups[4] == "claude debussy: preludes book ii: “feux d'artifice,” l 123, no. 12"
    assert groups[6] == "leoš janáček: in the mists, i. andante"
    assert all((entry.category, entry.valence, entry.arousal) == ("", None, None) for entry in by_name)


def test_a_title_with_other_capitals_and_spaces_is_the_same_work(tmp_path: Path) -> None:
    write_maestro(tmp_path, num_pieces=2)
    text = (tmp_path / maestro.TABLE).read_text(encoding="utf-8")
    assert text.count("Sonata No. 9, Op. 68") == 2
    other = text.replace("Sonata No. 9, Op. 68", "Sonata  no. 9, op. 68", 1)
    (tmp_path / maestro.TABLE).write_text(other, encoding="utf-8")
    assert maestro.list_pieces(tmp_path).facts["works"] == 1


def test_files_of_maestro_that_are_missing_are_unusable(tmp_path: Path) -> None:
    first, *others = names(maestro.list_pieces(write_maestro(tmp_path)))
    (tmp_path / first).unlink()
    listing = maestro.list_pieces(tmp_path)
    assert names(listing) == others
    reason = "missing, expected where the table says; unpack it anew"
    assert listing.unusable == [{"file": first, "reason": reason}]


def test_a_work_on_two_sides_is_used_on_the_later_one_only(tmp_path: Path) -> None:
    write_maestro(tmp_path, num_pieces=8)
    lines = (tmp_path / maestro.TABLE).read_text(encoding="utf-8").splitlines(keepends=True)
    assert lines[1].count(",train,") == 1
    lines[1] = lines[1].replace(",train,", ",test,")
    (tmp_path / maestro.TABLE).write_text("".join(lines), encoding="utf-8")
    listing = maestro.list_pieces(tmp_path)
    (left_out,) = listing.unusable
    assert left_out["file"] in lines[2]
    assert left_out["reason"] == "its work stands in train and in test, expected one side; only test uses it"
    assert listing.facts["performances"] == {"train": 2, "validation": 2, "test": 3}


def test_faults_of_the_maestro_table_are_told_all_at_once(tmp_path: Path) -> None:
    table = tmp_path / maestro.TABLE
    header = "canonical_composer,canonical_title,split,year,midi_filename,audio_filename,duration\n"
    rows = (
        ",Prelude,train,2004,a.midi,,1",
        "Bach,,dev,2004,../b.midi,,1",
        "Bach,Fugue,test,2004,a.midi,,1",
        "Bach,Air",
    )
    table.write_text(header + "\n".join(rows) + "\n", encoding="utf-8")
    with pytest.raises(KellyError) as caught:
        maestro.list_pieces(tmp_path)
    assert str(caught.value).splitlines() == [
        f"{table}: 6 faults; mend them or unpack the data set anew. The first:",
        "line 2: no canonical_composer, expected one",
        "line 3: midi_filename '../b.midi', expected a path inside the folder such as a/b.mid",
        "line 3: no canonical_title, expected one",
        "line 3: split 'dev', expected one of train, validation, test",
        "line 5: 2 cells, expected 7",
        "midi_filename 'a.midi' stands in 2 rows, expected one",
    ]
    table.write_text("canonical_composer,canonical_title,year,midi_filename\n", encoding="utf-8")
    with pytest.raises(KellyError, match=r"columns split missing or not alone, found .*; expected MAESTRO v3\.0\.0"):
        maestro.list_pieces(tmp_path)
    table.write_text(header, encoding="utf-8")
    with pytest.raises(KellyError, match="no rows, expected one a performance"):
        maestro.list_pieces(tmp_path)
