"""The data set of a folder: examples are extracted in parallel, copies left out, and arrays written to disk."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from kelly.runtime.atomic import write_text
from kelly.runtime.errors import KellyError
from kelly.runtime.text import printable
from kelly.sources.extraction.duplicates import same_works
from kelly.sources.extraction.file_examples import extract_midi
from kelly.sources.extraction.jobs import ExtractionJob, run
from kelly.sources.extraction.shards import NOT_APPLICABLE, UNUSABLE, USED, Shard
from kelly.sources.layouts import Layout
from kelly.sources.layouts.manifest import SPLITS, Entry, Manifest, evenly_spaced
from kelly.sources.skipped import Skipped, check_skipped
from kelly.sources.source import AudioSource, MidiSource

SPLIT_ORDER = ("", *SPLITS)  # a copy is kept in the last of these
MAX_LISTED = 100  # files that were left out, by name in the facts


@dataclass(frozen=True)
class FolderDataset:
    """The data set of a folder; its files are read when it is saved.

    path: the folder, for messages; job: the entries of `manifest` and how each is extracted
    max_skipped_share: 0..1, share of the files that may be unusable; units: what the numbers mean, for people
    """

    path: Path
    manifest: Manifest
    job: ExtractionJob
    max_skipped_share: float
    units: Mapping[str, str]

    def save(self, folder: Path, workspace: Path) -> dict[str, Any]:
        """Write the arrays of Sequences, and pieces.csv with the rows of each file, to `folder`; return the facts.

        workspace: keeps the extracted examples until the data set is complete, so that an interrupted run resumes.
        Raises KellyError where too many files are unusable, or none has examples.
        """
        shards = run(self.job, workspace, self.path.name)
        files = _Files(self.job.entries, shards)
        skipped = [*self.manifest.unusable, *files.with_outcome(UNUSABLE)]
        num_files = len(self.job.entries) + len(self.manifest.unusable)
        check_skipped(self.path, skipped, num_files, self.max_skipped_share)
        not_applicable = files.with_outcome(NOT_APPLICABLE)
        if not files.kept.any():
            reasons = Counter(file["reason"] for file in not_applicable).most_common(3)
            lines = "".join(f"\n  {number} files: {reason}" for reason, number in reasons)
            raise KellyError(
                f"{self.path}: use other music; there is nothing to learn from in {num_files} files:{lines}"
            )
        files.write(folder, shards)
        return {
            **self.manifest.facts,
            "files": num_files,
            "pieces": int(files.kept.sum()),
            "works": len(np.unique(files.work[files.kept])),
            "sequences": int(files.num_rows[files.kept].sum()),
            **files.sequences_per_split(),
            "num_duplicates": len(files.duplicates),
            "duplicates": files.duplicates[:MAX_LISTED],
            **({"num_ratings_left_out": files.num_ratings_left_out} if files.num_ratings_left_out else {}),
            "num_not_applicable": len(not_applicable),
            "not_applicable": not_applicable[:MAX_LISTED],
            "units": self.units,
            "skipped": skipped,
        }


def open_folder(layout: Layout, source: MidiSource | AudioSource, settings: Mapping[str, Any]) -> FolderDataset:
    """List the files of a folder. Raises KellyError where it has another layout."""
    remaining = dict(settings)
    path = Path(remaining.pop("path")).expanduser()
    max_files, max_skipped_share = remaining.pop("max_files"), remaining.pop("max_skipped_share")
    manifest = layout.list_pieces(path, **{name: remaining.pop(name) for name in layout.options})
    entries = [manifest.entries[i] for i in evenly_spaced(len(manifest.entries), max_files)]
    if isinstance(source, AudioSource):
        if "soundfont" in remaining:  # workers may have another working directory
            remaining["soundfont"] = str(Path(remaining["soundfont"]).expanduser().absolute())
        job = ExtractionJob(entries, source.extract, remaining)
    else:
        common = {name: remaining.pop(name, None) for name in ("max_windows_per_piece", "augmentation")}
        job = ExtractionJob(entries, extract_midi, {"extract": source.extract, **common, "settings": remaining})
    return FolderDataset(path, manifest, job, max_skipped_share, source.units)


class _Files:
    """The files after extraction, and which of them are kept; arrays have one value per file."""

    def __init__(self, entries: list[Entry], shards: list[Shard]) -> None:
        def column(name: str) -> NDArray[Any]:
            return np.concatenate([shard[name] for shard in shards]) if shards else np.zeros(0)

        self.entries = entries
        self.num_rows, self.outcome, self.category = column("num_rows"), column("outcome"), column("category")
        # A list, as every string of an array takes the memory of the longest.
        self.reason = [str(reason) for shard in shards for reason in shard["reason"]]
        self.num_ratings_left_out = int(column("ratings_left_out").sum())
        self.split = np.array([SPLIT_ORDER.index(entry.predefined_split) for entry in entries], dtype=np.intp)
        self.kept = self.outcome == USED
        self.duplicates: list[dict[str, str]] = []
        signatures = [hashes if hashes.any() else None for hashes in column("signature")]
        self.work = same_works(signatures, [entry.group for entry in entries])
        self._leave_out_copies(column("content"))
        self._leave_out_earlier_splits()

    def _leave_out_copies(self, content: NDArray[Any]) -> None:
        """Of files with the same examples keep one: the one in the last split, else the first."""
        first: dict[bytes, int] = {}
        for i in sorted(np.flatnonzero(self.kept).tolist(), key=lambda i: (-self.split[i], i)):
            same = first.setdefault(content[i], i)
            if same != i:
                self.kept[i] = False
                self.duplicates.append({"file": self.entries[i].name, "same_as": self.entries[same].name})
        self.duplicates.sort(key=lambda copy: copy["file"])

    def _leave_out_earlier_splits(self) -> None:
        """Of a work in several published splits keep what is in the last one: test before validation, then train."""
        last = np.zeros(len(self.split), dtype=np.intp)
        rows = np.flatnonzero(self.kept)
        np.maximum.at(last, self.work[rows], self.split[rows])
        for i in rows[self.split[rows] < last[self.work[rows]]].tolist():
            self.kept[i] = False
            split = SPLIT_ORDER[last[self.work[i]]]
            self.duplicates.append({"file": self.entries[i].name, "same_as": f"a piece of the {split} split"})

    def with_outcome(self, outcome: int) -> list[Skipped]:
        """Files with an outcome, each with its reason."""
        rows = np.flatnonzero(self.outcome == outcome).tolist()
        return [{"file": self.entries[i].name, "reason": self.reason[i]} for i in rows]

    def sequences_per_split(self) -> Mapping[str, Any]:
        """The number of sequences in each published split; nothing where there is none."""
        if not self.split[self.kept].any():
            return {}
        rows = np.bincount(self.split[self.kept], self.num_rows[self.kept], len(SPLIT_ORDER)).astype(int).tolist()
        return {"sequences_per_split": {name: n for name, n in sorted(zip(SPLIT_ORDER, rows, strict=True)) if n}}

    def write(self, folder: Path, shards: list[Shard]) -> None:
        """Write the arrays of the files that are kept, shard by shard, and pieces.csv."""
        kept = np.flatnonzero(self.kept)
        num_rows = self.num_rows[kept]
        for name in dict.fromkeys(name for shard in shards for name in shard.arrays):
            save_in_parts(folder / f"{name}.npy", int(num_rows.sum()), self._rows(shards, name))
        width = len(str(int(self.work.max())))
        groups = np.array([f"{work:0{width}d}" for work in self.work])
        np.save(folder / "groups.npy", np.repeat(groups[kept], num_rows))
        if self.split.any():
            names = np.array([entry.predefined_split for entry in self.entries])
            np.save(folder / "predefined_split.npy", np.repeat(names[kept], num_rows))
        if (self.category[kept] != "").any():
            np.save(folder / "category.npy", np.repeat(self.category[kept], num_rows))
        lines = ["file,group,first_row,num_rows"]
        for i, number, end in zip(kept.tolist(), num_rows, num_rows.cumsum(), strict=True):
            quoted = printable(self.entries[i].name).replace('"', '""')
            lines.append(f'"{quoted}",{groups[i]},{end - number},{number}')
        write_text(folder / "pieces.csv", "\n".join(lines) + "\n")

    def _rows(self, shards: list[Shard], name: str) -> Iterator[NDArray[Any]]:
        """The rows of one array that are kept, shard by shard."""
        end = 0
        for shard in shards:
            start, end = end, end + len(shard["num_rows"])
            mask = np.repeat(self.kept[start:end], self.num_rows[start:end])
            if mask.any():
                yield shard[f"rows_{name}"][mask]


def save_in_parts(path: Path, num_rows: int, parts: Iterator[NDArray[Any]]) -> None:
    """Write an array of num_rows rows to a .npy file one part of its rows at a time, so that memory stays small.

    Raises OSError where the disk is full.
    """
    first = next(parts)
    array = open_memmap(path, mode="w+", dtype=first.dtype, shape=(num_rows, *first.shape[1:]))
    if hasattr(os, "posix_fallocate"):  # without it a full disk kills the process, by a signal at the first write
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    end = 0
    for part in chain([first], parts):
        assert part.dtype == array.dtype
        start, end = end, end + len(part)
        array[start:end] = part
    assert end == num_rows
    array.flush()
