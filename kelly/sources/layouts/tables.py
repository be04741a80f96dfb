"""Reads the tables that come with music, CSV files of users and of published sets; all faults are told at once."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from kelly.runtime.errors import KellyError
from kelly.runtime.files import read_bytes

# Far beyond any published table: 0.3 MB, cells of at most 150 characters; a label for each of 176,000 files fits.
MAX_BYTES = 64 * 2**20
MAX_CELL = 1_000
MAX_FAULTS = 100  # enough to say that it is another file
NUM_SHOWN = 10
MAX_SHOWN = 100  # characters of a cell in a message
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # all but the tab
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")

Row = Mapping[str, str]


def read_table(
    table: Path,
    columns: Sequence[str],
    wrong: list[str],
    advice: str,
    max_bytes: int = MAX_BYTES,
    ragged: bool = False,
) -> Iterator[tuple[int, Row]]:
    """Line number and cells by column, of `columns` alone, of each row; spaces around names and values do not count.

    wrong: faults are added to it, of rows that are then left out; at MAX_FAULTS, with the caller's, reading ends
    ragged: empty cells at the end of a row may be missing or too many, as spreadsheets write them
    Raises KellyError, ending in `advice`, where the file or one of `columns` is missing, or it is no CSV (RFC 4180 in
    UTF-8, a row a line) or beyond `max_bytes` and MAX_CELL.
    """
    rows = _rows(table, read_bytes(table, max_bytes, advice), advice)
    _, header = next(rows, (1, []))
    if missing := [column for column in columns if header.count(column) != 1]:
        found = ", ".join(header)[:MAX_SHOWN] or "none"
        raise KellyError(f"{table}: columns {', '.join(missing)} missing or not alone, found {found}; {advice}")
    at = {column: header.index(column) for column in columns}
    for number, row in rows:
        if len(wrong) >= MAX_FAULTS:
            return
        if ragged:
            if not any(row):
                continue
            while len(row) > len(header) and not row[-1]:
                row.pop()
            row += [""] * (len(header) - len(row))
        if len(row) != len(header):
            wrong.append(f"line {number}: {len(row)} cells, expected {len(header)}")
            continue
        yield number, {column: row[i] for column, i in at.items()}


def _rows(table: Path, data: bytes, advice: str) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each line that is not empty."""
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        for row in filter(None, reader):
            # A quotation mark too many makes one cell of all that follows, up to the next one.
            if strange := [cell for cell in row if CONTROL.search(cell) or len(cell) > MAX_CELL]:
                found = f"a cell of {len(strange[0])} characters that begins with {strange[0][:40]!r}"
                expected = f"at most {MAX_CELL}, without line breaks and other control characters"
                raise KellyError(
                    f"{table}: line {reader.line_num} has {found}, expected {expected}; look for a stray quote"
                )
            yield reader.line_num, [cell.strip() for cell in row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise KellyError(f"{table}: not a CSV file in UTF-8 ({error}); {advice}") from error


def tell_faults(where: Path, wrong: Sequence[str], advice: str) -> None:
    """Raise KellyError with the number of faults found in `where`, the first of them and `advice`, if there are any."""
    if wrong:
        found = f"{len(wrong)} faults" if len(wrong) < MAX_FAULTS else f"{MAX_FAULTS} faults or more"
        first = "\n".join(wrong[:NUM_SHOWN])
        raise KellyError(f"{where}: {found}; {advice}. The first:\n{first}")


def repeated(column: str, values: Iterable[str]) -> list[str]:
    """A fault for each of the `values` of `column` that stands in more than one row."""
    times = Counter(values)
    return [f"{column} {shown(value)} stands in {n} rows, expected one" for value, n in times.items() if n > 1]


def number_in(row: Row, column: str, low: float, high: float, line: int, wrong: list[str]) -> float:
    """The cell as a number in low..high; where it is none, 0 and a fault in `wrong`."""
    cell = row[column]
    if NUMBER.fullmatch(cell) and low <= (number := float(cell)) <= high:
        return number
    wrong.append(f"line {line}: {column} {shown(cell)}, expected a number in {low:g}..{high:g}")
    return 0.0


def file_in(row: Row, column: str, line: int, wrong: list[str]) -> str:
    """The cell as the path of a file below the table's folder; where it is none, a fault in `wrong`."""
    if not is_inside(row[column]):
        wrong.append(f"line {line}: {column} {shown(row[column])}, expected a path inside the folder such as a/b.mid")
    return row[column]


def is_inside(name: str) -> bool:
    """Whether a file is named in the shortest way, by a path that stays inside the folder on any system."""
    path = PurePosixPath(name)
    leaves = ".." in path.parts or "\\" in name or PureWindowsPath(name).anchor
    return name == str(path) != "." and not leaves


def shown(cell: str) -> str:
    """The cell in quotes, cut where it is long."""
    return repr(cell if len(cell) <= MAX_SHOWN else cell[:MAX_SHOWN] + "…")
