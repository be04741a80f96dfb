"""The table of the Groove MIDI layout, `info.csv`: which performances there are and on which side each stands."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from kelly.errors import KellyError
from kelly.files import read_bytes

COLUMNS = ("id", "style", "time_signature", "midi_filename", "split")  # the ones that are read
SPLITS = ("train", "validation", "test")
# Far beyond the published table: 0.2 MB, cells of at most 60 characters.
MAX_BYTES = 16 * 2**20
MAX_CELL = 1_000
MAX_FAULTS = 100  # enough to say that it is another file
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # all but the tab


@dataclass(frozen=True)
class Performance:
    """One line of info.csv; `split` is the published side, `midi_filename` relative to the folder."""

    id: str
    style: str
    time_signature: str
    midi_filename: str
    split: str


def read_info(path: Path) -> list[Performance]:
    """Read `info.csv` of the folder `path`, sorted by midi_filename; spaces around names and values do not count.

    Raises KellyError, with all that is wrong in the rows at once, where the file or a column is missing, it is no CSV
    (RFC 4180 in UTF-8, a row a line) or beyond MAX_BYTES and MAX_CELL, a row has more or fewer cells than the header,
    an id is missing, a split is unknown, a file is listed twice or a midi_filename leaves the folder.
    """
    table = path / "info.csv"
    advice = (
        f"expected the Groove MIDI Dataset unpacked in {path}, set data.groove.path to the folder that holds info.csv"
    )
    rows = _rows(table, read_bytes(table, MAX_BYTES, advice))
    _, header = next(rows, (1, []))
    if wrong := [column for column in COLUMNS if header.count(column) != 1]:
        found = ", ".join(header[:20]) or "none"
        raise KellyError(f"{table}: columns {', '.join(wrong)} missing or not alone, found {found}")
    at = [header.index(column) for column in COLUMNS]
    performances = []
    for number, row in rows:
        if len(wrong) >= MAX_FAULTS:
            break
        if len(row) != len(header):
            wrong.append(f"line {number}: {len(row)} cells, expected {len(header)}")
            continue
        performance = Performance(*(row[i] for i in at))
        if not performance.id:
            wrong.append(f"line {number}: no id, expected one")
        if not _is_inside(performance.midi_filename):
            wrong.append(
                f"line {number}: midi_filename {performance.midi_filename!r}, expected a path inside the folder"
            )
        if performance.split not in SPLITS:
            wrong.append(f"line {number}: split {performance.split!r}, expected one of {', '.join(SPLITS)}")
        performances.append(performance)
    for column in ("id", "midi_filename"):
        times = Counter(getattr(p, column) for p in performances)
        wrong += [f"{column} {value!r} stands in {n} rows, expected one" for value, n in times.items() if n > 1]
    if wrong:
        found = f"{len(wrong)} faults" if len(wrong) < MAX_FAULTS else f"{MAX_FAULTS} faults or more"
        first = "\n".join(wrong[:10])
        raise KellyError(f"{table}: {found}; mend them or unpack the data set anew. The first:\n{first}")
    return sorted(performances, key=lambda p: p.midi_filename)


def _rows(table: Path, data: bytes) -> Iterator[tuple[int, list[str]]]:
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
        raise KellyError(f"{table}: not a CSV file in UTF-8 ({error}); unpack the data set anew") from error


def _is_inside(name: str) -> bool:
    """Whether a file is named in the shortest way, by a path that stays inside the folder on any system."""
    path = PurePosixPath(name)
    leaves = ".." in path.parts or "\\" in name or PureWindowsPath(name).anchor
    return name == str(path) != "." and not leaves
