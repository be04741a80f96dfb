"""Reads the two tables of DEAM: how listeners rated each song's arousal and valence, twice a second."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count, islice, permutations, zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly.runtime.errors import KellyError

FOLDER = Path("annotations/annotations averaged per song/dynamic (per second annotations)")
NAMES = ("arousal.csv", "valence.csv")
START_MS = 15_000  # listeners had settled by then
STEP_MS = 500

# The published tables take some 4 MB. Past this one is broken or hostile, and its cells would fill the memory.
MAX_BYTES = 32 * 2**20
MAX_FAULTS = 1_000  # looked for
NUM_SHOWN = 10
SONG_ID = re.compile(r"0|[1-9][0-9]{0,8}")
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True)
class Song:
    """One rated song.

    arousal, valence: float64[num_ratings], mean of the listeners in -1..1, every STEP_MS from START_MS on
    left_out: ratings at the end of which one table has more than the other
    """

    song_id: str
    arousal: NDArray[np.float64]
    valence: NDArray[np.float64]
    left_out: int


def read_ratings(path: Path) -> list[Song]:
    """Read both tables of the folder `path`, sorted by song id; spaces around names and values do not count.

    Raises KellyError, with all that is wrong at once, where a table or a column is missing, a song id is no whole
    number, stands in two rows or in one table only, or a rating is no number in -1..1 or follows an empty cell.
    """
    wrong: list[str] = []
    arousal, valence = (_read_table(path / FOLDER / name, wrong) for name in NAMES)
    if arousal and valence:
        for (name, here), (other, there) in permutations(zip(NAMES, (arousal, valence), strict=True), 2):
            wrong += [f"{name}: song_id {i} has no row in {other}" for i in here if i not in there]
    if wrong:
        first = "\n".join(wrong[:NUM_SHOWN])
        raise KellyError(
            f"{path / FOLDER}: {len(wrong)} fault(s); mend them, unpack the data set anew, or set data.deam.path "
            f"to the folder that holds annotations and MEMD_audio. The first:\n{first}"
        )
    songs = []
    for song_id in sorted(arousal, key=int):
        a, v = np.array(arousal[song_id]), np.array(valence[song_id])
        both = min(len(a), len(v))
        songs.append(Song(song_id, a[:both], v[:both], left_out=max(len(a), len(v)) - both))
    return songs


def _read_table(table: Path, wrong: list[str]) -> dict[str, list[float]]:
    """The ratings of each song in one table; what is wrong is added to `wrong`. Empty where nothing can be read."""
    try:
        if (size := table.stat().st_size) > MAX_BYTES:
            wrong.append(f"{table.name}: {size} bytes, expected at most {MAX_BYTES}")
            return {}
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, skipinitialspace=True)
            lines = ((f"{table.name}, line {reader.line_num}", [cell.strip() for cell in line]) for line in reader)
            return _read_lines(table.name, lines, wrong)
    except OSError as error:
        wrong.append(f"{table.name}: cannot be read ({error.strerror}), expected a table of ratings")
    except (UnicodeDecodeError, csv.Error) as error:
        wrong.append(f"{table.name}: not a CSV file in UTF-8 ({error})")
    return {}


def _read_lines(name: str, lines: Iterator[tuple[str, list[str]]], wrong: list[str]) -> dict[str, list[float]]:
    _, header = next(lines, ("", []))
    columns = chain(["song_id"], (f"sample_{START_MS + STEP_MS * i}ms" for i in count()))
    for number, (found, expected) in enumerate(zip_longest(header, islice(columns, max(2, len(header)))), start=1):
        if found != expected:
            wrong.append(f"{name}: column {number} is {_quoted(found)}, expected {expected!r}")
            return {}
    table: dict[str, list[float]] = {}
    for where, line in lines:
        if len(wrong) >= MAX_FAULTS:
            break
        if not any(line):
            continue
        if not SONG_ID.fullmatch(line[0]):
            wrong.append(f"{where}: song_id {_quoted(line[0])}, expected a whole number")
        elif line[0] in table:
            wrong.append(f"{where}: song_id {line[0]} for the second time, expected one row a song")
        else:
            table[line[0]] = _numbers(where, line[1:], wrong)
            if any(line[len(header) :]):
                wrong.append(f"{where}: {len(line)} cells, expected at most {len(header)}")
    if not table and not wrong:
        wrong.append(f"{name}: no songs, expected one a row")
    return table


def _numbers(where: str, cells: list[str], wrong: list[str]) -> list[float]:
    """The ratings of one row up to the empty cells at its end; the first fault ends it."""
    while cells and not cells[-1]:
        cells.pop()
    if not cells:
        wrong.append(f"{where}: no ratings, expected numbers in -1..1")
    ratings: list[float] = []
    for i, cell in enumerate(cells):
        if not NUMBER.fullmatch(cell) or not -1.0 <= float(cell) <= 1.0:
            column = f"sample_{START_MS + STEP_MS * i}ms"
            wrong.append(f"{where}, {column}: {_quoted(cell)}, expected a number in -1..1")
            break
        ratings.append(float(cell))
    return ratings


def _quoted(cell: str | None) -> str:
    return "missing" if cell is None else repr(cell if len(cell) <= 40 else cell[:40] + "…")
