"""Reads how listeners of DEAM rated each song as a whole: two tables, on a scale from 1 to 9."""

import re
from pathlib import Path

from kelly.runtime.errors import KellyError
from kelly.sources.layouts.tables import MAX_FAULTS, number_in, read_table, shown, tell_faults

FOLDER = Path("annotations/annotations averaged per song/song_level")
NAMES = ("static_annotations_averaged_songs_1_2000.csv", "static_annotations_averaged_songs_2000_2058.csv")
COLUMNS = ("song_id", "valence_mean", "arousal_mean")  # the ones that are read
SONG_ID = re.compile(r"0|[1-9][0-9]{0,8}")
LOW, HIGH = 1, 9


def read_static(path: Path) -> dict[str, tuple[float, float]]:
    """Mean valence and arousal, -1..1, of each song of the folder `path` by its id, in ascending order of the numbers.

    Raises KellyError, with all that is wrong in both tables at once, where a table or a column is missing, a song id
    is no whole number or stands in two rows, or a rating is no number in 1..9.
    """
    wrong: list[str] = []
    rated: dict[str, tuple[float, float]] = {}
    seen: dict[str, str] = {}
    for name in NAMES:
        faults: list[str] = []
        try:
            for line, row in read_table(path / FOLDER / name, COLUMNS, faults, "expected a table of ratings"):
                song_id = row["song_id"]
                valence, arousal = (number_in(row, column, LOW, HIGH, line, faults) for column in COLUMNS[1:])
                if not SONG_ID.fullmatch(song_id):
                    faults.append(f"line {line}: song_id {shown(song_id)}, expected a whole number")
                elif song_id in seen:
                    faults.append(f"line {line}: song_id {song_id} stands in {seen[song_id]} too, expected one row")
                else:
                    seen[song_id] = f"{name}, line {line}"
                    rated[song_id] = (_unit(valence), _unit(arousal))
        except KellyError as error:
            faults.append(str(error).removeprefix(f"{path / FOLDER / name}: "))
        wrong += [f"{name}, {fault}" if fault.startswith("line") else f"{name}: {fault}" for fault in faults]
    if not rated and not wrong:
        wrong.append(f"{NAMES[0]}: no songs, expected one a row")
    tell_faults(path / FOLDER, wrong[:MAX_FAULTS], "mend them, or unpack the data set anew")
    return {song_id: rated[song_id] for song_id in sorted(rated, key=int)}


def _unit(rating: float) -> float:
    return (2 * rating - LOW - HIGH) / (HIGH - LOW)
