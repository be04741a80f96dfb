"""Reads the tables of music folders with pandas. All errors of a table are reported at once, by line number."""

import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kelly.runtime.errors import KellyError
from kelly.runtime.files import read_bytes

if TYPE_CHECKING:  # slow to import, so functions that read a table import it
    import pandas as pd

# Far beyond any published table: 4 MB, 2 million cells of at most 150 characters.
MAX_BYTES = 64 * 2**20
MAX_CELLS = 2**23
MAX_CELL = 1_000
NUM_SHOWN = 10  # errors in a message
MAX_SHOWN = 100  # characters of a cell in a message
FORBIDDEN = re.compile(rf"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|[^,\r\n]{{{MAX_CELL + 1}}}")
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
DOWNLOAD_AGAIN = "correct these lines, or download the data set again"


class Table:
    """The rows of a table and the errors found in them so far.

    rows: str by column name and line number, without surrounding spaces
    """

    def __init__(self, path: Path, rows: "pd.DataFrame") -> None:
        self.path, self.rows = path, rows
        self._errors: list[tuple[int, str]] = []

    @property
    def errors(self) -> list[str]:
        """All errors in the order of their lines."""
        return [f"line {line}: {error}" for line, error in sorted(self._errors, key=lambda error: error[0])]

    def add_errors(self, lines: Iterable[int], errors: Iterable[str]) -> None:
        """Report one error for each line number."""
        self._errors += zip(lines, errors, strict=True)

    def require(self, valid: Any, column: str, expected: str) -> None:
        """Report each row where `valid`, bool[num_rows], is false, with its cell in `column`."""
        cells = self.rows[column][~np.asarray(valid, dtype=np.bool_)]
        self.add_errors(cells.index, (f"{column} {quoted(cell)}, expected {expected}" for cell in cells))

    def require_values(self, *columns: str) -> None:
        """Report empty cells."""
        for column in columns:
            self.require(self.rows[column] != "", column, "a value")

    def require_unique(self, *columns: str) -> None:
        """Report cells that an earlier row of their column has too."""
        for column in columns:
            self.require(~self.rows[column].duplicated(), column, "it in one row only")

    def require_paths(self, column: str) -> None:
        """Report cells that are not the path of a file inside the table's folder."""
        self.require(
            [is_inside(cell) for cell in self.rows[column]], column, "a path inside the folder such as a/b.mid"
        )

    def numbers(self, column: str, low: float, high: float) -> NDArray[np.float64]:
        """The cells of `column` as float64[num_rows]; those that are not a number in low..high are reported."""
        values = to_numbers(self.rows[column])
        self.require((low <= values) & (values <= high), column, f"a number in {low:g}..{high:g}")
        return values

    def raise_errors(self, fix: str, min_rows: int = 0) -> None:
        """Raise KellyError that begins with `fix`, what to do, if there are errors or fewer than `min_rows` rows."""
        errors = self.errors
        if not errors and len(self.rows) < min_rows:
            errors = [f"{len(self.rows)} rows, expected at least {min_rows}"]
        raise_errors(self.path, fix, errors)


def read_table(
    path: Path,
    columns: Sequence[str],
    advice: str,
    *,
    ragged: bool = False,
    separator: str | None = ",",
    max_bytes: int = MAX_BYTES,
) -> Table:
    """Read a UTF-8 table by RFC 4180, with or without a byte order mark; blank rows are skipped.

    columns: names that the header must contain, each once, among others
    ragged: empty cells at the end of a row may be missing or too many, as spreadsheets write them
    separator: None: white space, in a file without header whose columns are `columns`
    Raises KellyError containing `advice`, what to do, where the file or a column is missing or it is not such a table.
    """
    cells = _read_cells(path, advice, separator, max_bytes)
    num_cells = cells.notna().sum(axis=1)
    cells = cells.fillna("").map(str.strip)
    cells = cells[(cells != "").any(axis=1)]
    names = list(columns)
    if separator is not None:
        names = cells.iloc[0, : num_cells[cells.index[0]]].tolist() if len(cells) else []
        cells = cells.iloc[1:]
    if wrong := [column for column in columns if names.count(column) != 1]:
        found = ", ".join(names)[:MAX_SHOWN] or "none"
        raise KellyError(f"{path}: {advice}; columns {', '.join(wrong)} missing or duplicated, found {found}")
    num_cells = num_cells[cells.index]
    fits = (cells.iloc[:, len(names) :] == "").all(axis=1) if ragged else num_cells == len(names)
    misfits = num_cells[~fits]
    rows = cells[fits].reindex(columns=range(len(names)), fill_value="").set_axis(names, axis=1)
    table = Table(path, rows)
    table.add_errors(misfits.index, (f"{number} cells, expected {len(names)}" for number in misfits))
    return table


def _read_cells(path: Path, advice: str, separator: str | None, max_bytes: int) -> "pd.DataFrame":
    """The cells of all lines by line number, NaN past the last cell of a line."""
    import pandas as pd

    data = read_bytes(path, max_bytes, advice)
    try:
        text = data.decode("utf-8-sig")
        if match := FORBIDDEN.search(text):
            line = len(io.StringIO(text[: match.start()] + ".", newline=None).readlines())
            raise KellyError(
                f"{path}: {advice}; line {line} contains {quoted(match.group())}, "
                f"expected cells of at most {MAX_CELL} characters and no control characters"
            )
        lines = io.StringIO(text, newline="").readlines()
        width = max((len(line.split(separator)) for line in lines), default=1) or 1
        if len(lines) * width > MAX_CELLS:
            raise KellyError(f"{path}: {advice}; {len(lines)} lines of up to {width} cells, expected a smaller table")
        cells = pd.read_csv(
            io.StringIO("\n" + text, newline=""),  # rows count from 1, and pandas looks for no second byte order mark
            sep=separator or r"\s+",
            header=None,
            names=range(width),  # no line has more cells, and those of shorter lines become NaN
            index_col=False,
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
            skipinitialspace=True,
            engine="python",  # the one that refuses stray quotes
        ).iloc[1:]
    except ValueError as error:  # UnicodeDecodeError, ParserError
        raise KellyError(f"{path}: {advice}; it is not a table in UTF-8 ({error})") from error
    if len(cells) != len(lines):
        line = cells.index[cells.apply(lambda column: column.str.contains(r"[\r\n]", na=False)).any(axis=1)][0]
        raise KellyError(f"{path}: look for a stray quote in line {line}; a cell contains a line break")
    return cells


def raise_errors(path: Path, fix: str, errors: Sequence[str]) -> None:
    """Raise KellyError that begins with `fix`, what to do, with the first of the `errors`, if there are any."""
    if errors:
        first = "\n".join(errors[:NUM_SHOWN])
        count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        raise KellyError(f"{path}: {fix}. {count}{', the first' if len(errors) > NUM_SHOWN else ''}:\n{first}")


def to_numbers(cells: Iterable[str]) -> NDArray[np.float64]:
    """The cells as float64[num_cells], NaN for what is not a decimal number."""
    return np.array([float(cell) if NUMBER.fullmatch(cell) else np.nan for cell in cells], dtype=np.float64)


def is_inside(name: str) -> bool:
    """Whether `name` is the normal form of a path that stays inside its folder, on any system."""
    path = PurePosixPath(name)
    leaves = ".." in path.parts or "\\" in name or PureWindowsPath(name).anchor
    return name == str(path) != "." and not leaves


def quoted(cell: str) -> str:
    """The cell in quotes, cut where it is long."""
    return repr(cell if len(cell) <= MAX_SHOWN else cell[:MAX_SHOWN] + "…")
