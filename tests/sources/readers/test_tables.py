"""Tables are read cell by cell as CSV defines them, or rejected with all errors at once."""

import re
from pathlib import Path

import pytest

from kelly.runtime.errors import KellyError
from kelly.sources.readers import tables
from kelly.sources.readers.tables import Table, is_inside, read_table, to_numbers

COLUMNS = ("id", "file")


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(folder: Path, content: str | bytes, ragged: bool = False) -> Table:
    return read_table(write(folder, content), COLUMNS, "get another table", ragged=ragged)


def cells(table: Table) -> list[list[str]]:
    return [list(row) for row in table.rows[list(COLUMNS)].itertuples()]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_rows_have_line_numbers_and_no_surrounding_spaces(tmp_path: Path, encoding: str, newline: str) -> None:
    lines = ["file, other ,id ", 'a b.mid , "x, y","1"', "", " , ,", '"é ""2"".mid",nan, NA\t']
    table = read(tmp_path, newline.join(lines).encode(encoding))
    assert cells(table) == [[2, "1", "a b.mid"], [5, "NA", 'é "2".mid']]
    assert table.rows["other"].tolist() == ["x, y", "nan"]
    assert table.errors == []


def test_rows_of_another_length_are_errors_unless_they_are_ragged(tmp_path: Path) -> None:
    content = "id,file,\n1,a\n2,b,,,\n3,c,,x\n4\n"
    assert read(tmp_path, content).errors == [
        f"line {line}: {n} cells, expected 3" for line, n in ((2, 2), (3, 5), (4, 4), (5, 1))
    ]
    table = read(tmp_path, content, ragged=True)
    assert cells(table) == [[2, "1", "a"], [3, "2", "b"], [5, "4", ""]]
    assert table.errors == ["line 4: 4 cells, expected 3"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "columns id, file missing or duplicated, found none"),
        ("id;file\n", "columns id, file missing or duplicated, found id;file"),
        ("id,other\n", "columns file missing or duplicated, found id, other"),
        ("id,file,id\n", "columns id missing or duplicated, found id, file, id"),
        ("id,file\n1,é.mid\n".encode("cp1252"), "not a table in UTF-8 ('utf-8' codec"),
        ("id,file\n".encode("utf-16"), "not a table in UTF-8"),
        ('id,file\n1,"a.mid\n', "not a table in UTF-8 (unexpected end of data)"),
        ('id,file\n1,"a"b\n', "not a table in UTF-8"),
        ('id,file\n0,c\n1,"a\nb"\n', "stray quote in line 3"),
        ("id,file\n1,a\0\n", "line 2 contains '\\x00'"),
        ("id,file\n1," + "a" * (tables.MAX_CELL + 1), "line 2 contains 'aaa"),
        ("id,file\n1,'" + "a," * 100_000, "expected a smaller table"),
    ],
)
def test_a_file_that_is_not_such_a_table_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | bytes, message: str
) -> None:
    monkeypatch.setattr(tables, "MAX_CELLS", 100_000)
    with pytest.raises(KellyError, match=re.escape(message)) as caught:
        read(tmp_path, content)
    assert str(caught.value).startswith(f"{tmp_path / 'table.csv'}: ")
    assert len(str(caught.value)) < 500


def test_a_missing_or_too_large_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(KellyError, match=r"No such file.*get another table"):
        read_table(tmp_path / "none.csv", COLUMNS, "get another table")
    with pytest.raises(KellyError, match="expected at most 10"):
        read_table(write(tmp_path, "id,file\n1,a"), COLUMNS, "get another table", max_bytes=10)


def test_all_errors_are_reported_in_the_order_of_lines_and_the_first_are_listed(tmp_path: Path) -> None:
    table = read(tmp_path, "id,file\n1,../a\n,b\n1,c\n2\n")
    table.require_values("id")
    table.require_unique("id", "file")
    table.require_paths("file")
    table.numbers("id", 0, 0.5)
    expected = ["2: file '../a'", "2: id '1'", "3: id ''", "3: id ''", "4: id '1'", "4: id '1'", "5: 1 cells"]
    assert [error.removeprefix("line ").split(", ")[0] for error in table.errors] == expected
    with pytest.raises(KellyError, match=r"table\.csv: do this\. 7 errors:\n(.+\n){6}.+$"):
        table.raise_errors("do this")
    with pytest.raises(KellyError, match=r"do this\. 1 error:\n0 rows, expected at least 1$"):
        read(tmp_path, "id,file\n").raise_errors("do this", min_rows=1)
    with pytest.raises(KellyError, match="100000 errors, the first:") as caught:
        read(tmp_path, "id,file\n" + "x\n" * 100_000).raise_errors("do this")
    assert len(str(caught.value).splitlines()) == 1 + tables.NUM_SHOWN


@pytest.mark.parametrize(
    "name", ["../a", "/a", "a/../../b", "..\\b", "C:/b", "C:b", "//b", "..", "", "./a", "a//b", "a/./b", "a/../b", "a/"]
)
def test_only_the_normal_form_of_a_path_inside_the_folder_is_accepted(name: str) -> None:
    assert not is_inside(name)
    assert is_inside("a/b.mid")


def test_only_finite_decimal_numbers_are_numbers(tmp_path: Path) -> None:
    valid = {"0.1": 0.1, "-.5": -0.5, "+1.": 1.0, "1e-1": 0.1, "0.30000000000000004": 0.1 + 0.2}
    assert to_numbers(valid).tolist() == list(valid.values())
    for cell in ("", "nan", "inf", "0,5", "0_5", "٠", "0x1", "--1", "True", "∞", "1e999", "1.01", "-1.0001"):
        table = read(tmp_path, f'id,file\n1,"{cell}"\n')
        table.numbers("file", -1, 1)
        assert table.errors == [f"line 2: file {cell!r}, expected a number in -1..1"]
