"""The table of the Groove MIDI layout, `info.csv`: which performances there are and on which side each stands."""

from dataclasses import dataclass
from pathlib import Path

from kelly.sources.layouts.tables import file_in, read_table, repeated, shown, tell_faults

COLUMNS = ("id", "style", "time_signature", "midi_filename", "split")  # the ones that are read
SPLITS = ("train", "validation", "test")
MAX_BYTES = 16 * 2**20  # far beyond the published table: 0.2 MB


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
    (RFC 4180 in UTF-8, a row a line) or beyond MAX_BYTES and tables.MAX_CELL, a row has more or fewer cells than the
    header, an id is missing, a split is unknown, a file is listed twice or a midi_filename leaves the folder.
    """
    table = path / "info.csv"
    advice = (
        f"expected the Groove MIDI Dataset unpacked in {path}, set data.groove.path to the folder that holds info.csv"
    )
    wrong: list[str] = []
    performances = []
    for line, row in read_table(table, COLUMNS, wrong, advice, MAX_BYTES):
        if not row["id"]:
            wrong.append(f"line {line}: no id, expected one")
        file_in(row, "midi_filename", line, wrong)
        if row["split"] not in SPLITS:
            wrong.append(f"line {line}: split {shown(row['split'])}, expected one of {', '.join(SPLITS)}")
        performances.append(Performance(**row))
    for column in ("id", "midi_filename"):
        wrong += repeated(column, (getattr(p, column) for p in performances))
    tell_faults(table, wrong, "mend them or unpack the data set anew")
    return sorted(performances, key=lambda p: p.midi_filename)
