"""What a killed command left behind: the files of a clone, and whether each is complete, temporary or as expected."""

import csv
import json
import sqlite3
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

TEMPORARY = (".partial", ".former")
NOT_OUTPUTS = {".git", ".venv", "__pycache__", ".locks", ".dvc/cache", ".dvc/tmp"}  # DVC's and git's own, and locks
Digests = Mapping[str, Callable[[Path], bytes]]  # by pattern of the name: what is compared in place of all bytes


def outputs(folder: Path) -> Iterator[Path]:
    """All files of a folder, without locks and what belongs to git and DVC."""
    for path in sorted(folder.iterdir()):
        is_dvc = path.parent.name == ".dvc"
        if path.name in NOT_OUTPUTS or (is_dvc and f".dvc/{path.name}" in NOT_OUTPUTS):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from outputs(path)
        elif path.is_file() and (path.suffix != ".lock" or path.name == "dvc.lock"):
            yield path


def contents(folder: Path, digests: Digests | None = None) -> dict[str, bytes]:
    """The bytes of every file, or the digest that its name has in `digests`."""

    def content(path: Path) -> bytes:
        digest = next((digest for pattern, digest in (digests or {}).items() if path.match(pattern)), Path.read_bytes)
        return digest(path)

    return {path.relative_to(folder).as_posix(): content(path) for path in outputs(folder)}


def differences(actual: Mapping[str, bytes], expected: Mapping[str, bytes]) -> list[str]:
    """A line for each file that is missing, left over or has other bytes; temporary files have lines of their own."""
    lines = []
    for name in sorted(actual.keys() | expected.keys()):
        if name not in actual:
            lines.append(f"{name} is missing")
        elif name not in expected:
            if not is_temporary(Path(name)):
                lines.append(f"{name} is left over")
        elif actual[name] != expected[name]:
            lines.append(f"{name} differs")
    return lines


def neither(actual: Mapping[str, bytes], old: Mapping[str, bytes], new: Mapping[str, bytes]) -> list[str]:
    """The files that have neither the old nor the new state."""
    return [
        f"{name} is neither old nor new"
        for name in sorted(actual.keys() | old.keys() | new.keys())
        if actual.get(name) not in (old.get(name), new.get(name)) and not is_temporary(Path(name))
    ]


def is_temporary(path: Path) -> bool:
    """Whether a file has the temporary name of an atomic write."""
    return any(word in part for part in path.parts for word in TEMPORARY if part.startswith("."))


def incomplete(folder: Path) -> list[str]:
    """The files that are truncated or damaged."""
    return [str(path) for path in outputs(folder) if not is_temporary(path) and not is_complete(path)]


def is_complete(path: Path) -> bool:
    """Whether a file of a kind that a command writes can be read to its end."""
    if path.name == "dvc.lock":  # DVC rewrites it in place, and `kelly check` repairs it
        return True
    try:
        match path.suffix:
            case ".json":
                json.loads(path.read_bytes())
            case ".npy":
                np.load(path)
            case ".pt":
                with zipfile.ZipFile(path) as archive:
                    return archive.testzip() is None
            case ".csv":
                rows = list(csv.reader(path.read_text().splitlines()))
                return len({len(row) for row in rows}) == 1 and path.read_text().endswith("\n")
            case ".png":
                Image.open(path).verify()  # all chunks are present and match their checksums
            case ".db":
                return query(path, "PRAGMA integrity_check") == [("ok",)]
            case ".html":
                return path.read_text().rstrip().endswith("</html>")
            case ".svg" | ".md" | ".yaml" | ".files":
                return path.read_text().endswith("\n")
    except (ValueError, EOFError, OSError, SyntaxError, zipfile.BadZipFile, sqlite3.Error):  # SyntaxError: a PNG
        return False
    return True


def exists(_: Path) -> bytes:
    """The digest of a file that has to be there, with any bytes."""
    return b"exists"


def query(database: Path, sql: str) -> list[tuple[object, ...]]:
    """All rows of a query to an SQLite file."""
    connection = sqlite3.connect(database, timeout=10)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def ended_trials(database: Path) -> bytes:
    """The digest of a study: settings and losses of the trials that ended, in order; a trial may not be running.

    The numbers of the trials are not compared: a killed trial keeps its number, and is trained under another.
    """
    trials = query(
        database,
        "SELECT t.state, (SELECT value FROM trial_values v WHERE v.trial_id = t.trial_id),"
        " (SELECT value_json FROM trial_user_attributes a WHERE a.trial_id = t.trial_id AND a.key = 'settings'),"
        " (SELECT group_concat(intermediate_value) FROM trial_intermediate_values i WHERE i.trial_id = t.trial_id)"
        " FROM trials t WHERE t.state NOT IN ('FAIL', 'WAITING') ORDER BY t.number",
    )
    return "\n".join(map(str, trials)).encode()


def number_of_ended_trials(database: Path) -> bytes:
    """The digest of a study of several processes, whose settings depend on which trials have finished."""
    sql = "SELECT state IN ('COMPLETE', 'PRUNED'), count(*) FROM trials WHERE state <> 'FAIL' GROUP BY 1"
    return str(query(database, sql)).encode()
