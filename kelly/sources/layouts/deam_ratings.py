"""Reads how listeners of DEAM rated arousal and valence: twice a second (dynamic), or of the whole song (static)."""

from itertools import zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly.runtime.errors import KellyError
from kelly.sources.readers.tables import DOWNLOAD_AGAIN, Table, quoted, raise_errors, read_table, to_numbers

FOLDER = Path("annotations/annotations averaged per song")
DYNAMIC = FOLDER / "dynamic (per second annotations)"
DYNAMIC_NAMES = ("valence.csv", "arousal.csv")
START_MS = 15_000  # listeners had settled by then
STEP_MS = 500

STATIC = FOLDER / "song_level"
STATIC_NAMES = ("static_annotations_averaged_songs_1_2000.csv", "static_annotations_averaged_songs_2000_2058.csv")
LOW, HIGH = 1, 9

ADVICE = "set data.deam.path to the folder that contains annotations and MEMD_audio"
SONG_ID = r"0|[1-9][0-9]{0,8}"


def read_dynamic(path: Path) -> tuple[dict[str, NDArray[np.float64]], int]:
    """Read both tables of dynamic ratings in the folder `path`.

    Returns by song id, in ascending order of the numbers, valence and arousal, float64[2, num_ratings], -1..1, every
    STEP_MS from START_MS on; and how many ratings only one of the tables has.
    Raises KellyError, with all errors of both tables, where one or a column is missing, a song id is not a whole
    number, repeated or in one table only, or a rating is not a number in -1..1 or follows an empty cell.
    """
    errors: list[str] = []
    valence, arousal = tables = [_read_dynamic_table(path / DYNAMIC / name, errors) for name in DYNAMIC_NAMES]
    if not errors:
        for name, ids, others in zip(DYNAMIC_NAMES, tables, reversed(tables), strict=True):
            errors += [f"{name}: song_id {song_id} is in this table only" for song_id in ids if song_id not in others]
    raise_errors(path / DYNAMIC, f"{DOWNLOAD_AGAIN}, or {ADVICE}", errors)
    ratings, num_unpaired = {}, 0
    for song_id in sorted(valence, key=int):
        v, a = valence[song_id], arousal[song_id]
        ratings[song_id] = np.stack([v[: len(a)], a[: len(v)]])
        num_unpaired += abs(len(v) - len(a))
    return ratings, num_unpaired


def _read_dynamic_table(path: Path, errors: list[str]) -> dict[str, NDArray[np.float64]]:
    """The ratings of each song in one table; its errors are added to `errors`."""
    table = _read_table(path, ("song_id",), errors)
    if table is None:
        return {}
    columns = list(table.rows.columns)
    expected = ["song_id", *(f"sample_{START_MS + STEP_MS * i}ms" for i in range(max(1, len(columns) - 1)))]
    if columns != expected:
        pairs = zip_longest(columns, expected, fillvalue="no column")
        column, name = next(pair for pair in pairs if pair[0] != pair[1])
        errors.append(f"{path.name}: column {quoted(column)}, expected {name}")
        return {}
    cells = table.rows.iloc[:, 1:].to_numpy(dtype=object)
    ratings = to_numbers(cells.ravel()).reshape(cells.shape)
    numbers = np.arange(1, cells.shape[1] + 1)
    num_ratings = np.where(cells != "", numbers, 0).max(axis=1, initial=0)
    table.require(num_ratings > 0, "song_id", "at least one rating of it")
    wrong = ~((ratings >= -1) & (ratings <= 1)) & (numbers <= num_ratings[:, None])
    rows = np.flatnonzero(wrong.any(axis=1))
    first = wrong[rows].argmax(axis=1)
    messages = [
        f"{expected[1 + i]} {quoted(cells[row, i])}, expected a number in -1..1"
        for row, i in zip(rows, first, strict=True)
    ]
    table.add_errors(table.rows.index[rows], messages)
    _check_song_ids(table)
    if not len(table.rows) and not table.errors:
        errors.append(f"{path.name}: no songs, expected one per row")
    errors += [f"{path.name}, {error}" for error in table.errors]
    songs = zip(table.rows["song_id"], ratings, num_ratings, strict=True)
    return {song_id: values[:number] for song_id, values, number in songs}


def read_static(path: Path) -> dict[str, tuple[float, float]]:
    """Read both tables of static ratings in the folder `path`.

    Returns mean valence and arousal, -1..1, by song id, in ascending order of the numbers.
    Raises KellyError, with all errors of both tables, where one or a column is missing, a song id is not a whole
    number or is repeated, or a rating is not a number in 1..9.
    """
    errors: list[str] = []
    rated: dict[str, tuple[float, float]] = {}
    for name in STATIC_NAMES:
        table = _read_table(path / STATIC / name, ("song_id", "valence_mean", "arousal_mean"), errors)
        if table is None:
            continue
        ratings = [table.numbers(column, LOW, HIGH) for column in ("valence_mean", "arousal_mean")]
        valence, arousal = (((2 * rating - LOW - HIGH) / (HIGH - LOW)).tolist() for rating in ratings)
        _check_song_ids(table)
        table.require(~table.rows["song_id"].isin(list(rated)), "song_id", f"it in {STATIC_NAMES[0]} only")
        errors += [f"{name}, {error}" for error in table.errors]
        rated |= dict(zip(table.rows["song_id"], zip(valence, arousal, strict=True), strict=True))
    if not rated and not errors:
        errors.append(f"{STATIC_NAMES[0]}: no songs, expected one per row")
    raise_errors(path / STATIC, f"{DOWNLOAD_AGAIN}, or {ADVICE}", errors)
    return {song_id: rated[song_id] for song_id in sorted(rated, key=int)}


def _read_table(path: Path, columns: tuple[str, ...], errors: list[str]) -> Table | None:
    """The table, or None where it cannot be read; the reason is added to `errors`."""
    try:
        return read_table(path, columns, "it must be a table of ratings", ragged=True)
    except KellyError as error:
        errors.append(str(error).replace(str(path), path.name))
        return None


def _check_song_ids(table: Table) -> None:
    table.require(table.rows["song_id"].str.fullmatch(SONG_ID), "song_id", "a whole number")
    table.require_unique("song_id")
