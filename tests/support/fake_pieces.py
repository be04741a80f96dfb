"""Folders of songs, and fake pieces for tests of what is done with examples, not of the examples."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from support.played import Note, write

from kelly.data.dataset import Dataset
from kelly.runtime.errors import KellyError
from kelly.sources.extraction.duplicates import sound_signature
from kelly.sources.extraction.file_examples import FileExamples
from kelly.sources.extraction.folder_dataset import FolderDataset
from kelly.sources.extraction.jobs import ExtractionJob
from kelly.sources.generate import generate
from kelly.sources.layouts.manifest import Entry, Manifest
from kelly.sources.skipped import NotApplicableError
from kelly.tasks import TASKS

MELODY: dict[str, Any] = {"num_frames": 4, "max_files": None, "max_windows_per_piece": None, "max_skipped_share": 0.5}
NAMES = [f"{work}/0" for work in "abcdefg"]  # four shards of two, the last of one


def song(seed: int, num_bars: int = 12, shift: int = 0) -> list[Note]:
    """A random tune over random chords, in C major and related keys."""
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
    """MelodyTransformer's data of the folder `path`, written to `to`."""
    return generate(TASKS["melodytransformer"], "midi", MELODY | {"path": str(path)} | changes, to)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def pieces_table(folder: Path) -> list[dict[str, str]]:
    with (folder / "pieces.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def groups(folder: Path) -> dict[str, str]:
    return {piece["file"]: piece["group"] for piece in pieces_table(folder)}


def extract_fake(entry: Entry, log: str, num_rows: int = 3, width: int = 4) -> FileExamples:
    """Examples of a fake piece, called work/version/copy: versions have other examples, copies the same ones.

    Appends the name to the file `log`; raises KeyboardInterrupt if a file `stop` next to it contains the name.
    """
    stop = Path(log).with_name("stop")
    if stop.exists() and stop.read_text() == entry.name:
        raise KeyboardInterrupt
    with Path(log).open("a", encoding="utf-8") as file:
        file.write(entry.name + "\n")
    work, version, *_ = entry.name.split("/")
    if work == "broken":
        raise KellyError(f"{entry.path}: damaged")
    if work == "drumless":
        raise NotApplicableError(f"{entry.path}: no drums")
    rng = np.random.default_rng(list(f"{work}/{version}".encode()))
    examples: dict[str, NDArray[Any]] = {
        "inputs": rng.random((num_rows, 1, width), np.float32),
        "targets": rng.random((num_rows, 1, width), np.float32),
        "mask": rng.random((num_rows, 1, width)) < 0.5,
    }
    return FileExamples(examples, "major", sound_signature(np.array(list(work.encode()), np.float32)))


class FakeFolder:
    """A folder of fake pieces and the data set of it."""

    def __init__(
        self, folder: Path, *names: str, splits: str = "", max_skipped_share: float = 0.9, **settings: Any
    ) -> None:
        self.folder, self.log = folder, folder / "log"
        self.log.touch()
        predefined = splits.split() or [""] * len(names)
        self.entries = [Entry(n, folder / n, predefined_split=s) for n, s in zip(names, predefined, strict=True)]
        self.job = ExtractionJob(self.entries, extract_fake, {"log": str(self.log)} | settings)
        self.dataset = FolderDataset(folder, Manifest(self.entries), self.job, max_skipped_share, {})

    def save(self, to: str = "data") -> dict[str, Any]:
        """Write the data set to the subfolder `to` and return its facts."""
        (self.folder / to).mkdir(exist_ok=True)
        return self.dataset.save(self.folder / to, self.folder / "workspace")

    def extracted(self) -> list[str]:
        """Names of the pieces extracted since the last call."""
        names = self.log.read_text(encoding="utf-8").split("\n")[:-1]
        self.log.write_text("")
        return names
