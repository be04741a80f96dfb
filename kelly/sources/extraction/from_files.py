"""A data set made from the files of a folder: measured side by side, duplicates on one side, put together on disk."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly.runtime.atomic import write_text
from kelly.runtime.errors import KellyError
from kelly.sources.extraction.chunks import NOT_APPLICABLE, UNUSABLE, USED, Chunk
from kelly.sources.extraction.duplicates import same_works
from kelly.sources.extraction.jobs import Job, run
from kelly.sources.extraction.measured import measure_notes
from kelly.sources.extraction.npy import NpyWriter
from kelly.sources.layouts import Layout
from kelly.sources.layouts.listing import Entry, Listing, spread
from kelly.sources.skipped import Skipped, check_skipped
from kelly.sources.source import AudioSource, MidiSource

SPLITS = ("", "train", "validation", "test")  # a copy is kept on the last of these
MAX_NAMED = 100  # duplicates and files that were left out, named in the facts


@dataclass(frozen=True)
class FromFiles:
    """The data set that a folder gives; it is read when it is saved.

    where: the folder, for messages; job: the entries of `listing` and how each is measured
    max_skipped_share: 0..1, how many of the files may be unusable; units: what the numbers mean, for people
    """

    where: Path
    listing: Listing
    job: Job
    max_skipped_share: float
    units: Mapping[str, str]

    def files_hash(self) -> str:
        """What tells whether a file was added, removed or changed since."""
        return self.job.files()

    def save_arrays(self, folder: Path, workspace: Path) -> dict[str, Any]:
        """Write the arrays of Sequences to `folder` and pieces.csv, which row is of which file; return the facts.

        workspace: where what is measured lies until the data set is whole, so that a stopped run goes on.
        Raises KellyError where too many files cannot be used, or none.
        """
        chunks = list(run(self.job, workspace, self.where.name))
        files = _Files(self.job.entries, chunks)
        skipped = [*self.listing.unusable, *files.named(UNUSABLE)]
        num_files = len(self.job.entries) + len(self.listing.unusable)
        check_skipped(self.where, skipped, num_files, self.max_skipped_share)
        unsuited = files.named(NOT_APPLICABLE)
        if not files.kept.any():
            reasons = Counter(file["reason"] for file in unsuited).most_common(3)
            said = "".join(f"\n  {number} files: {reason}" for reason, number in reasons)
            raise KellyError(f"{self.where}: nothing to learn from in {num_files} files:{said}")
        files.write(folder, chunks)
        return {
            **self.listing.facts,
            "files": num_files,
            "pieces": int(files.kept.sum()),
            "works": len(np.unique(files.work[files.kept])),
            "sequences": int(files.num_rows[files.kept].sum()),
            **files.by_side(),
            "duplicates_left_out": len(files.copies),
            "duplicates": files.copies[:MAX_NAMED],
            **({"ratings_left_out": files.left_out} if files.left_out else {}),
            "unsuited_left_out": len(unsuited),
            "unsuited": unsuited[:MAX_NAMED],
            "units": self.units,
            "skipped": skipped,
        }


def from_files(layout: Layout, source: MidiSource | AudioSource, settings: Mapping[str, Any]) -> FromFiles:
    """The data set that a folder of a layout gives. Raises KellyError where the layout is not met."""
    own = dict(settings)
    where = Path(own.pop("path")).expanduser()
    max_files, max_skipped_share = own.pop("max_files"), own.pop("max_skipped_share")
    listing = layout.list_pieces(where, **{name: own.pop(name) for name in layout.options})
    entries = [listing.entries[i] for i in spread(len(listing.entries), max_files)]
    if isinstance(source, AudioSource):
        if "soundfont" in own:  # workers may run in another folder
            own["soundfont"] = str(Path(own["soundfont"]).expanduser().absolute())
        job = Job(entries, source.measure, own)
    else:
        common = {name: own.pop(name, None) for name in ("max_windows_per_piece", "augmentation")}
        job = Job(entries, measure_notes, {"extract": source.examples, **common, "settings": own})
    return FromFiles(where, listing, job, max_skipped_share, source.units)


class _Files:
    """What is known of each file once all are measured; arrays have one entry a file."""

    def __init__(self, entries: list[Entry], chunks: list[Chunk]) -> None:
        def whole(name: str) -> NDArray[Any]:
            return np.concatenate([chunk[name] for chunk in chunks]) if chunks else np.zeros(0)

        self.entries = entries
        self.num_rows, self.outcome = whole("num_rows"), whole("outcome")
        self.category = whole("category")
        self.reason = [str(reason) for chunk in chunks for reason in chunk["reason"]]
        self.left_out = int(whole("left_out").sum())
        signatures, content = whole("signature"), whole("content")
        self.kept = self.outcome == USED
        self.copies: list[dict[str, str]] = []
        known = [entry.group for entry in entries]
        self.work = same_works([own if own.any() else None for own in signatures], known)
        self._leave_out_copies(content)
        self._leave_out_other_sides()

    def _leave_out_copies(self, content: NDArray[Any]) -> None:
        """Of files that give the same rows keep one: on the test side rather than in training, else the first."""
        rank = [SPLITS.index(entry.predefined_split) for entry in self.entries]
        first: dict[bytes, int] = {}
        for i in sorted(np.flatnonzero(self.kept).tolist(), key=lambda i: (-rank[i], i)):
            same = first.setdefault(content[i], i)
            if same != i:
                self.kept[i] = False
                self.copies.append({"file": self.entries[i].name, "same_as": self.entries[same].name})
        self.copies.sort(key=lambda copy: copy["file"])

    def _leave_out_other_sides(self) -> None:
        """Of a work that a published split divides keep what stands on its last side: test before validation, train."""
        rank = np.array([SPLITS.index(entry.predefined_split) for entry in self.entries], dtype=np.intp)
        last = np.zeros(len(rank), dtype=np.intp)
        rows = np.flatnonzero(self.kept)
        np.maximum.at(last, self.work[rows], rank[rows])
        elsewhere = rows[rank[rows] < last[self.work[rows]]]
        self.kept[elsewhere] = False
        for i in elsewhere.tolist():
            self.copies.append(
                {"file": self.entries[i].name, "same_as": f"a piece of the {SPLITS[last[self.work[i]]]} side"}
            )

    def named(self, outcome: int) -> list[Skipped]:
        """Files with an outcome, each with its reason."""
        return [
            {"file": self.entries[i].name, "reason": self.reason[i]}
            for i in np.flatnonzero(self.outcome == outcome).tolist()
        ]

    def by_side(self) -> Mapping[str, Any]:
        """How many sequences stand on each published side; nothing where there is none."""
        sides: Counter[str] = Counter()
        for i in np.flatnonzero(self.kept).tolist():
            sides[self.entries[i].predefined_split] += int(self.num_rows[i])
        return {} if set(sides) == {""} else {"sequences_by_side": dict(sorted(sides.items()))}

    def write(self, folder: Path, chunks: list[Chunk]) -> None:
        """Write the arrays of the files that are kept, chunk by chunk, and pieces.csv."""
        rows = int(self.num_rows[self.kept].sum())
        width = max(len(str(int(self.work.max()))), 1)
        names = np.array([f"{work:0{width}d}" for work in self.work])
        said = {"groups": names}
        if any(entry.predefined_split for entry in self.entries):
            said["predefined_split"] = np.array([entry.predefined_split for entry in self.entries])
        if (self.category[self.kept] != "").any():
            said["category"] = self.category
        arrays = dict.fromkeys(name for chunk in chunks for name in chunk.arrays)
        for name in arrays:
            with NpyWriter(folder / f"{name}.npy", rows) as out:
                for part in self._parts(chunks, name):
                    out.append(part)
        for name, of_file in said.items():
            with NpyWriter(folder / f"{name}.npy", rows) as out:
                for i in np.flatnonzero(self.kept).tolist():
                    out.append(np.full(self.num_rows[i], of_file[i], dtype=of_file.dtype))
        lines = ["file,group,first_row,num_rows"]
        first = 0
        for i in np.flatnonzero(self.kept).tolist():
            quoted = self.entries[i].name.replace('"', '""')
            lines.append(f'"{quoted}",{names[i]},{first},{self.num_rows[i]}')
            first += int(self.num_rows[i])
        write_text(folder / "pieces.csv", "\n".join(lines) + "\n")

    def _parts(self, chunks: list[Chunk], name: str) -> Iterator[NDArray[Any]]:
        at = 0
        for chunk in chunks:
            here = slice(at, at := at + len(chunk["num_rows"]))
            there = np.repeat(self.kept[here], self.num_rows[here])
            if there.any():
                yield chunk[f"rows_{name}"][there]
