"""info.csv is read row by row as it was meant, or refused with all that is wrong in it."""

from pathlib import Path

import pytest

from kelly.runtime.errors import KellyError
from kelly.sources.layouts.groove_table import MAX_BYTES, Performance, read_info

HEADER = "drummer,session, id,style , bpm,beat_type, time_signature, midi_filename,audio_filename,duration, split"
SHORT = "id,style,time_signature,midi_filename,split\n"
LEAVING = ("../a.mid", "/etc/a.mid", "a/../../b.mid", "..\\b.mid", "C:/b.mid", "C:b.mid", "//b.mid", "..", "")
ANOTHER_SPELLING = ("./a.mid", "a//b.mid", "a/./b.mid", "a/../b.mid", "a/", ".")  # of a file that may stand there too


def table(path: Path, **changed: str) -> Path:
    """A folder with a table of three rows; `changed` are cells of the last one."""
    cells = {"id": "3", "style": "rock", "metre": "4-4", "file": "d1/3.mid", "side": "test"} | changed
    lines = [HEADER, *(f"d1,s1,{i},rock/slow ,120,beat, 4-4,d1/{i}.mid,,8.0,train" for i in (2, 1))]
    lines.append("d1,s1,{id},{style},120,beat,{metre},{file},,8.0,{side}".format(**cells))
    (path / "info.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_rows_come_by_file_name_without_the_spaces_around_their_cells(tmp_path: Path) -> None:
    first = Performance("1", "rock/slow", "4-4", "d1/1.mid", "train")
    assert read_info(table(tmp_path))[0] == first
    assert [p.id for p in read_info(tmp_path)] == ["1", "2", "3"]
    quoted = table(tmp_path, style='"a ""slow"", late rock"', file='"d1/é.mid"')
    assert read_info(quoted)[2] == Performance("3", 'a "slow", late rock', "4-4", "d1/é.mid", "test")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends_and_a_byte_order_mark_do_not_matter(tmp_path: Path, encoding: str, newline: str) -> None:
    listed = read_info(table(tmp_path))
    text = (tmp_path / "info.csv").read_text(encoding="utf-8")
    (tmp_path / "info.csv").write_text(text, encoding=encoding, newline=newline)
    assert read_info(tmp_path) == listed


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_another_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "info.csv").write_text(SHORT + "é,rock,4-4,a.mid,train\n", encoding=encoding)
    with pytest.raises(KellyError, match=r"info\.csv: not a CSV file in UTF-8 \('utf-8' codec can't decode byte"):
        read_info(tmp_path)


@pytest.mark.parametrize("name", [*LEAVING, *ANOTHER_SPELLING])
def test_a_file_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(KellyError, match="expected a path inside the folder"):
        read_info(table(tmp_path, file=name))


def test_faults_of_the_table_are_told_all_at_once(tmp_path: Path) -> None:
    with pytest.raises(KellyError, match=r"2 faults(.|\n)*line 4: split 'dev'(.|\n)*id '1' stands in 2 rows"):
        read_info(table(tmp_path, id="1", side="dev"))
    (tmp_path / "info.csv").write_text("id,style,split\n")
    with pytest.raises(KellyError, match="columns time_signature, midi_filename missing"):
        read_info(tmp_path)
    (tmp_path / "info.csv").write_text("id,split,style,time_signature,midi_filename,split\n")
    with pytest.raises(KellyError, match="columns split missing or not alone"):
        read_info(tmp_path)
    (tmp_path / "info.csv").unlink()
    with pytest.raises(KellyError, match=r"expected the Groove MIDI Dataset unpacked in .*data\.groove\.path"):
        read_info(tmp_path)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ('"a', r"not a CSV file in UTF-8 \(unexpected end of data\)"),
        ('"a\nb"', "line 5 has a cell of 3 characters that begins with 'a.nb'"),
        ('"a"b', "not a CSV file in UTF-8"),
        ("a,b", r"1 faults(.|\n)*line 4: 12 cells, expected 11"),
        ("a\0", "line 4 has a cell of 2 characters"),
        ("a" * 1_001, "line 4 has a cell of 1001 characters"),
        ("", r"1 faults(.|\n)*line 4: no id"),
    ],
)
def test_a_cell_that_breaks_the_table_is_told_with_its_line(tmp_path: Path, cell: str, message: str) -> None:
    with pytest.raises(KellyError, match=message):
        read_info(table(tmp_path, id=cell))


def test_another_kind_of_table_is_not_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "info.csv").write_text(SHORT + "x\n" * 100_000)
    with pytest.raises(KellyError, match="100 faults or more"):
        read_info(tmp_path)
    (tmp_path / "info.csv").write_bytes(b"x" * (MAX_BYTES + 1))
    with pytest.raises(KellyError, match=f"expected at most {MAX_BYTES}"):
        read_info(tmp_path)
