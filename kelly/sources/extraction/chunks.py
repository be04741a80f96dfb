"""The rows of some files in one .npz: left by a process that measures for the one that puts process_group."""

import hashlib
import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly.runtime.errors import KellyError
from kelly.sources.extraction.duplicates import NUM_HASHES
from kelly.sources.extraction.measured import Measured
from kelly.sources.layouts.listing import Entry
from kelly.sources.skipped import NotApplicableError

DIGEST_BYTES = 32
BLOCK_BYTES = 2**20
USED, NOT_APPLICABLE, UNUSABLE = 0, 1, 2


@dataclass(frozen=True)
class Chunk:
    """A chunk on disk; what is asked for is read then, and not kept.

    Of its files, in their order: `num_rows` int64, `outcome` (USED, NOT_APPLICABLE, UNUSABLE), `reason` str, `category` str,
    `content` bytes, the hash of the rows, `signature` uint32[num_files, NUM_HASHES], zero where there is none,
    `left_out` int64. `rows` are the arrays of Sequences, those of all files one after another.
    """

    path: Path

    def __getitem__(self, name: str) -> NDArray[Any]:
        with self._open() as file:
            array: NDArray[Any] = file[name]
        return array

    @cached_property
    def arrays(self) -> list[str]:
        """Names of the arrays of Sequences that are there."""
        with self._open() as file:
            return [name.removeprefix("rows_") for name in file.files if name.startswith("rows_")]

    @contextmanager
    def _open(self) -> Iterator[Any]:
        try:
            with np.load(self.path, allow_pickle=False) as file:
                yield file
        except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
            raise KellyError(f"{self.path} is damaged ({error}); delete the folder {self.path.parent}") from None


def write(path: Path, entries: Sequence[Entry], outcomes: Sequence[Measured | KellyError]) -> None:
    """Write what was measured of `entries`, or why it could not be."""
    used = [outcome for outcome in outcomes if isinstance(outcome, Measured)]
    names = dict.fromkeys(name for measured in used for name in measured.rows)
    rows = {f"rows_{name}": np.concatenate([measured.rows[name] for measured in used]) for name in names}
    about: dict[str, list[Any]] = {
        name: [] for name in ("num_rows", "outcome", "reason", "category", "content", "signature", "left_out")
    }
    for entry, outcome in zip(entries, outcomes, strict=True):
        nothing = np.zeros(NUM_HASHES, dtype=np.uint32)
        if isinstance(outcome, Measured):
            told: tuple[Any, ...] = (
                len(outcome.rows["inputs"]),
                USED,
                "",
                outcome.category,
                _content(outcome),
                nothing if outcome.signature is None else outcome.signature,
                outcome.left_out,
            )
        else:
            reason = str(outcome).removeprefix(f"{entry.path}: ")
            told = (
                0,
                NOT_APPLICABLE if isinstance(outcome, NotApplicableError) else UNUSABLE,
                reason,
                "",
                b"",
                nothing,
                0,
            )
        for name, value in zip(about, told, strict=True):
            about[name].append(value)
    np.savez(path, allow_pickle=False, **rows, **{name: np.array(values) for name, values in about.items()})
    # Behind the archive, where readers of .npz do not look: what it sums up itself leaves out its own names and sizes.
    with path.open("r+b") as file:
        own = hashlib.file_digest(file, "sha256").digest()
        file.seek(0, os.SEEK_END)
        file.write(own)


def _content(measured: Measured) -> bytes:
    """What is the same for files that give the same rows; variations are not, since they hang on the file's name."""
    rows = measured.rows
    own = ~rows["augmented"] if "augmented" in rows else slice(None)
    whole = hashlib.sha256()
    for name, array in sorted(rows.items()):
        if name not in ("previous", "augmented"):
            whole.update(np.ascontiguousarray(array[own]).tobytes())
    return whole.hexdigest().encode()


def is_whole(path: Path) -> bool:
    """Whether a chunk is there, every bit of it as it was written."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END) - DIGEST_BYTES
            file.seek(0)
            whole = hashlib.sha256()
            while part := file.read(min(BLOCK_BYTES, max(0, size - file.tell()))):
                whole.update(part)
            return size > 0 and whole.digest() == file.read()
    except OSError:
        return False
