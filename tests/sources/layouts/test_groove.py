"""The Groove MIDI Dataset: info.csv is read as written, or rejected with all errors at once."""

from pathlib import Path

from support.published_layouts import errors

from kelly.sources.layouts.groove import read_info

HEADER = "drummer,session, id,style , bpm,beat_type, time_signature, midi_filename,audio_filename,duration, split"


def table(path: Path, **changes: str) -> Path:
    """A folder with a table of three rows; `changes` are cells of the last one."""
    cells = {"id": "3", "style": "rock", "file": "d1/3.mid", "split": "test"} | changes
    lines = [HEADER, *(f"d1,s1,{i},rock/slow ,120,beat, 4-4,d1/{i}.mid,,8.0,train" for i in (2, 1))]
    lines.append("d1,s1,{id},{style},120,beat,4-4,{file},,8.0,{split}".format(**cells))
    (path / "info.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_performances_are_sorted_by_file_name(tmp_path: Path) -> None:
    performances = read_info(table(tmp_path, style='"a ""slow"", late rock"', file='"d1/é.mid"'))
    assert [p.id for p in performances] == ["1", "2", "3"]
    assert performances[0] == ("1", "rock/slow", "4-4", "d1/1.mid", "train")
    assert performances[2] == ("3", 'a "slow", late rock', "4-4", "d1/é.mid", "test")


def test_all_errors_of_the_table_are_reported(tmp_path: Path) -> None:
    assert errors(read_info, table(tmp_path, id="1", split="dev", file="../a.mid")) == [
        "line 4: midi_filename '../a.mid'",
        "line 4: split 'dev'",
        "line 4: id '1'",
    ]
    for changes, error in (({"id": ""}, "id ''"), ({"file": "d1/1.mid"}, "midi_filename 'd1/1.mid'")):
        assert errors(read_info, table(tmp_path, **changes)) == [f"line 4: {error}"]
