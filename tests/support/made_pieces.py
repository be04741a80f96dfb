"""Folders of songs, and pieces that are made up where only what is done with them matters."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from support.played import Note, write

from kelly.data.dataset import Dataset
from kelly.runtime.errors import KellyError
from kelly.sources.extraction.duplicates import sound_signature
from kelly.sources.extraction.from_files import FromFiles
from kelly.sources.extraction.jobs import Job
from kelly.sources.extraction.measured import Measured
from kelly.sources.generate import generate
from kelly.sources.layouts.listing import Entry, Listing
from kelly.sources.skipped import NotApplicableError
from kelly.tasks import TASKS

MELODY: dict[str, Any] = {
    "num_frames": 4,
    "max_files": None,
    "max_windows_per_piece": None,
    "max_skipped_share": 0.5,
}


def song(seed: int, num_bars: int = 12, shift: int = 0) -> list[Note]:
    """A tune of its own over chords of its own, in C major and the keys beside it."""
    rng = np.random.default_rng(seed)
    notes = []
    for bar in range(num_bars):
        root = int(rng.choice([48, 53, 55, 57]))
        notes += [Note(4 * bar, 3.9, root + pitch + shift, 60) for pitch in (0, 4, 7)]
        notes += [Note(4 * bar + i / 2, 0.4, int(rng.choice([72, 74, 76, 77, 79, 81])) + shift, 90) for i in range(8)]
    return notes


def folder_of_songs(path: Path, number: int = 7) -> Path:
    for seed in range(number):
        write(path / f"{seed}.mid", {"Piano": song(seed)})
    return path


def melody(path: Path, to: Path, **changes: object) -> Dataset:
    return generate(TASKS["melodytransformer"], "midi", MELODY | {"path": str(path)} | changes, to)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "pieces.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def groups(folder: Path) -> dict[str, str]:
    return {piece["file"]: piece["group"] for piece in table(folder)}


# A made piece is called work/version/copy: versions have other rows, copies the same ones.


def measured(entry: Entry, log: str, num_rows: int = 3, width: int = 4) -> Measured:
    """Examples that only the name tells, noted in the file `log`; a file `stop` beside it names one that interrupts."""
    stop = Path(log).with_name("stop")
    if stop.exists() and stop.read_text() == entry.name:
        raise KeyboardInterrupt
    with Path(log).open("a", encoding="utf-8") as file:
        file.write(entry.name + "\n")
    work, version, *_ = entry.name.split("/")
    if work == "broken":
        raise KellyError(f"{entry.path}: damaged")
    if work == "unsuited":
        raise NotApplicableError(f"{entry.path}: no drums")
    rng = np.random.default_rng(list(f"{work}/{version}".encode()))
    rows: dict[str, NDArray[Any]] = {
        "inputs": rng.random((num_rows, 1, width), np.float32),
        "targets": rng.random((num_rows, 1, width), np.float32),
        "mask": rng.random((num_rows, 1, width)) < 0.5,
    }
    return Measured(rows, "major", sound_signature(np.array([float(byte) for byte in work.encode()], np.float32)))


class Made:
    """A data set of made pieces in a folder, with chunks of two files, and what was measured for it so far."""

    def __init__(self, folder: Path, *names: str, sides: str = "", share: float = 0.9, **settings: Any) -> None:
        self.folder, self.log = folder, folder / "log"
        self.log.touch()
        officials = sides.split() or [""] * len(names)
        self.entries = [Entry(n, folder / n, predefined_split=o) for n, o in zip(names, officials, strict=True)]
        job = Job(self.entries, measured, {"log": str(self.log)} | settings)
        self.files = FromFiles(folder, Listing(self.entries), job, share, {})

    def save(self, to: str = "data") -> dict[str, Any]:
        (self.folder / to).mkdir(exist_ok=True)
        return self.files.save_arrays(self.folder / to, self.folder / "workspace")

    def measured(self) -> list[str]:
        """Names of the pieces measured since the last call."""
        names = self.log.read_text(encoding="utf-8").split("\n")[:-1]
        self.log.write_text("")
        return names


NAMES = [f"{work}/0" for work in "abcdefg"]  # four chunks of two, the last of one
