"""MAESTRO is listed with its splits, works stay in one split, and all errors of its table are reported."""

from pathlib import Path

from support.published_layouts import errors, names, write_maestro

from kelly.sources.layouts import maestro


def test_splits_are_the_published_ones_and_performances_of_a_work_are_a_group(tmp_path: Path) -> None:
    manifest = maestro.list_pieces(write_maestro(tmp_path, num_pieces=8))
    assert manifest.facts == {"performances": {"train": 4, "validation": 2, "test": 2}, "works": 4}
    by_track = sorted(manifest.entries, key=lambda entry: entry.name.rpartition("Track")[2])
    splits = [entry.predefined_split for entry in by_track]
    assert splits == ["train", "train", "validation", "validation", "test", "test", "train", "train"]
    groups = [entry.group for entry in by_track]
    assert groups[0::2] == groups[1::2]
    assert groups[0] == 'alexander scriabin: sonata no. 9, op. 68, "black mass"'
    assert groups[4] == "claude debussy: preludes book ii: “feux d'artifice,” l 123, no. 12"
    assert groups[6] == "leoš janáček: in the mists, i. andante"
    assert all((entry.category, entry.valence, entry.arousal) == ("", None, None) for entry in by_track)


def test_a_title_with_other_capitals_and_spaces_is_the_same_work(tmp_path: Path) -> None:
    write_maestro(tmp_path, num_pieces=2)
    text = (tmp_path / maestro.TABLE).read_text(encoding="utf-8")
    assert text.count("Sonata No. 9, Op. 68") == 2
    other = text.replace("Sonata No. 9, Op. 68", "Sonata  no. 9, op. 68", 1)
    (tmp_path / maestro.TABLE).write_text(other, encoding="utf-8")
    assert maestro.list_pieces(tmp_path).facts["works"] == 1


def test_missing_files_are_unusable(tmp_path: Path) -> None:
    first, *others = names(maestro.list_pieces(write_maestro(tmp_path)))
    (tmp_path / first).unlink()
    manifest = maestro.list_pieces(tmp_path)
    assert names(manifest) == others
    assert [(file["file"], "missing" in file["reason"]) for file in manifest.unusable] == [(first, True)]


def test_a_work_in_two_splits_is_used_in_the_later_one_only(tmp_path: Path) -> None:
    write_maestro(tmp_path, num_pieces=8)
    lines = (tmp_path / maestro.TABLE).read_text(encoding="utf-8").splitlines(keepends=True)
    assert lines[1].count(",train,") == 1
    lines[1] = lines[1].replace(",train,", ",test,")
    (tmp_path / maestro.TABLE).write_text("".join(lines), encoding="utf-8")
    manifest = maestro.list_pieces(tmp_path)
    (unusable,) = manifest.unusable
    assert unusable["file"] in lines[2]
    assert "its work is in train and in test" in unusable["reason"]
    assert manifest.facts["performances"] == {"train": 2, "validation": 2, "test": 3}


def test_all_errors_of_the_table_are_reported(tmp_path: Path) -> None:
    rows = (",Prelude,train,a.midi", "Bach,,dev,../b.midi", "Bach,Fugue,test,a.midi", "Bach,Air")
    (tmp_path / maestro.TABLE).write_text("\n".join([",".join(maestro.COLUMNS), *rows]), encoding="utf-8")
    assert errors(maestro.list_pieces, tmp_path) == [
        "line 2: canonical_composer ''",
        "line 3: canonical_title ''",
        "line 3: split 'dev'",
        "line 3: midi_filename '../b.midi'",
        "line 4: midi_filename 'a.midi'",
        "line 5: 2 cells",
    ]
    (tmp_path / maestro.TABLE).write_text(",".join(maestro.COLUMNS), encoding="utf-8")
    assert errors(maestro.list_pieces, tmp_path) == ["0 rows"]
