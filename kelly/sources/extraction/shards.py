"""The examples of some files in one .npz, written by the worker that extracted them."""

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
from kelly.runtime.system_errors import raise_system_error
from kelly.sources.extraction.duplicates import NUM_HASHES
from kelly.sources.extraction.file_examples import FileExamples
from kelly.sources.extraction.sequences import Examples
from kelly.sources.layouts.manifest import Entry
from kelly.sources.skipped import NotApplicableError

DIGEST_BYTES = 32
USED, NOT_APPLICABLE, UNUSABLE = 0, 1, 2
NO_SIGNATURE = np.zeros(NUM_HASHES, dtype=np.uint32)


@dataclass(frozen=True)
class Shard:
    """A shard on disk; each access reads from it.

    Per file: `num_rows` int64, `outcome` (USED, NOT_APPLICABLE, UNUSABLE), `reason` str, `category` str, `content`
    bytes, the hash of its examples, `signature` uint32[num_files, NUM_HASHES], zero where there is none,
    `ratings_left_out` int64. `rows_<name>` are the arrays of Sequences of all files, concatenated.
    """

    path: Path

    def __getitem__(self, name: str) -> NDArray[Any]:
        with self._open() as file:
            array: NDArray[Any] = file[name]
        return array

    @cached_property
    def arrays(self) -> list[str]:
        """Names of the arrays of Sequences in the shard."""
        with self._open() as file:
            return [name.removeprefix("rows_") for name in file.files if name.startswith("rows_")]

    @contextmanager
    def _open(self) -> Iterator[Any]:
        try:
            with np.load(self.path, allow_pickle=False) as file:
                yield file
        except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
            raise_system_error(error, self.path)
            raise KellyError(
                f"{self.path}: delete the folder {self.path.parent}; the file is damaged ({error})"
            ) from None


def write(path: Path, entries: Sequence[Entry], outcomes: Sequence[FileExamples | KellyError]) -> None:
    """Write the examples of `entries`, or the errors in their place."""
    used = [outcome for outcome in outcomes if isinstance(outcome, FileExamples)]
    names = dict.fromkeys(name for file in used for name in file.examples)
    arrays = {f"rows_{name}": np.concatenate([file.examples[name] for file in used]) for name in names}
    records = [_record(entry, outcome) for entry, outcome in zip(entries, outcomes, strict=True)]
    columns = {name: np.array([record[name] for record in records]) for name in records[0]}
    np.savez(path, allow_pickle=False, **arrays, **columns)
    # A digest of the whole file, appended where readers of .npz do not look: the zip checksums do not cover headers.
    with path.open("r+b") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        file.seek(0, os.SEEK_END)
        file.write(digest)


def _record(entry: Entry, outcome: FileExamples | KellyError) -> dict[str, Any]:
    used = outcome if isinstance(outcome, FileExamples) else None
    return {
        "num_rows": len(used.examples["inputs"]) if used else 0,
        "outcome": USED if used else NOT_APPLICABLE if isinstance(outcome, NotApplicableError) else UNUSABLE,
        "reason": "" if used else str(outcome).removeprefix(f"{entry.path}: "),
        "category": used.category if used else "",
        "content": _content_hash(used.examples) if used else b"",
        "signature": NO_SIGNATURE if used is None or used.signature is None else used.signature,
        "ratings_left_out": used.ratings_left_out if used else 0,
    }


def _content_hash(examples: Examples) -> bytes:
    """A hash of the examples without variations, which depend on the file's name; equal for copies of a file."""
    original = ~examples["augmented"] if "augmented" in examples else slice(None)
    content = hashlib.sha256()
    for name, array in sorted(examples.items()):
        if name not in ("previous", "augmented"):
            content.update(np.ascontiguousarray(array[original]).tobytes())
    return content.hexdigest().encode()


def is_intact(path: Path) -> bool:
    """Whether a shard exists and every bit of it is as it was written."""
    try:
        content = np.memmap(path, mode="r")
    except (FileNotFoundError, ValueError):  # ValueError: an empty file
        return False
    return hashlib.sha256(content[:-DIGEST_BYTES].data).digest() == content[-DIGEST_BYTES:].tobytes()
