"""From a source's name and settings to a checked data set on disk: the one way that data comes in."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from kelly.data.dataset import Dataset, Sequences, hash_arrays, read_metadata, write_metadata
from kelly.runtime.atomic import replacing_folder, write_text
from kelly.runtime.errors import KellyError
from kelly.sources.extraction.from_files import from_files
from kelly.sources.layouts import LAYOUTS
from kelly.sources.registry import SOURCES
from kelly.sources.source import GeneratedSource, Source
from kelly.tasks import Task

BLOCK_BYTES = 2**25  # of inputs


class Prepared(Protocol):
    """What a source gives: a data set in memory, or files that are read when it is saved."""

    def files_hash(self) -> str:
        """What tells whether the files of the source changed since; '' where there are none."""

    def save_arrays(self, folder: Path, workspace: Path) -> dict[str, Any]:
        """Write the arrays to `folder` and return facts; `workspace` outlives a stop and serves the next attempt."""


def generate(task: Task, source: str, settings: Mapping[str, Any], folder: Path) -> Dataset:
    """Read or draw the data of one task from `source` with its `settings` and write it to `folder`.

    What was there before is replaced once the new data is whole. Raises KellyError where the source cannot serve, or
    yields what the network cannot learn from.
    """
    workspace = folder.with_name(f".{folder.name}.partial-files")
    prepared = prepare(source, SOURCES[task.name][source], settings)
    state = prepared.files_hash()  # what changes while it is read, however long that takes, has changed since
    _state_file(folder).unlink(missing_ok=True)
    with replacing_folder(folder) as fresh:
        facts = prepared.save_arrays(fresh, workspace)
        check(task, Sequences.load(fresh))
        if (fresh / "stream").exists():
            check(task, Sequences.load(fresh / "stream"))
        write_metadata(fresh, {"model": task.name, "source": source, "settings": dict(settings)}, facts)
    if state:
        write_text(_state_file(folder), f"{state} {read_metadata(folder)['sha256']}\n")
    shutil.rmtree(workspace, ignore_errors=True)
    return Dataset.load(folder)


def prepare(name: str, source: Source, settings: Mapping[str, Any]) -> Prepared:
    """What `source`, called `name`, gives with its settings. Raises KellyError where a folder's layout is not met."""
    if isinstance(source, GeneratedSource):
        return source.make(**settings)
    return from_files(LAYOUTS[name], source, settings)


def is_current(task: Task, source: str, settings: Mapping[str, Any], folder: Path) -> bool:
    """Whether `folder` holds just this data already, every array as it was written, and no file changed since."""
    if not _is_of(task, source, settings, folder) or read_metadata(folder)["sha256"] != hash_arrays(folder):
        return False
    return isinstance(SOURCES[task.name][source], GeneratedSource) or not is_outdated(task, source, settings, folder)


def is_outdated(task: Task, source: str, settings: Mapping[str, Any], folder: Path) -> bool:
    """Whether files of the source were added, removed or changed since the data in `folder` was made of it.

    False where `folder` holds other data, or where it was not made here: then nobody knows.
    """
    state = _state_file(folder)
    if not _is_of(task, source, settings, folder) or not state.exists():
        return False
    then, _, of_data = state.read_text(encoding="utf-8").strip().partition(" ")
    if of_data != read_metadata(folder)["sha256"]:
        return False
    return then != prepare(source, SOURCES[task.name][source], settings).files_hash()


def _is_of(task: Task, source: str, settings: Mapping[str, Any], folder: Path) -> bool:
    if not (folder / "dataset.json").exists():
        return False
    about = read_metadata(folder)
    return (about["model"], about["source"], about["settings"]) == (task.name, source, dict(settings))


def _state_file(folder: Path) -> Path:
    """Beside the data, not in it: times of files must not change what DVC takes for the same data."""
    return folder.with_name(f".{folder.name}.files")


def blocks(sequences: Sequences) -> Iterator[Sequences]:
    """The sequences BLOCK_BYTES at a time, so that a data set larger than memory can be gone through."""
    num_rows = max(1, BLOCK_BYTES * len(sequences) // max(1, sequences.inputs.nbytes))
    for start in range(0, len(sequences), num_rows):
        yield sequences.take(np.arange(start, min(start + num_rows, len(sequences))))


def check(task: Task, sequences: Sequences) -> None:
    """Raise KellyError where shapes are not the task's, values are not finite, or no target ever changes."""
    inputs, targets, mask = sequences.inputs, sequences.targets, sequences.mask
    n, num_frames = inputs.shape[:2]
    classes = task.loss == "cross_entropy"
    expected = (n, num_frames) if classes else (n, num_frames, task.num_outputs)
    if inputs.shape != (n, num_frames, task.num_inputs) or targets.shape != expected:
        raise KellyError(
            f"{task.title}: inputs {inputs.shape} and targets {targets.shape}, expected (n, num_frames, "
            f"{task.num_inputs}) and {('n', 'num_frames') if classes else ('n', 'num_frames', task.num_outputs)}"
        )
    if mask is not None and mask.shape != targets.shape:
        raise KellyError(f"{task.title}: mask {mask.shape}, expected the shape of the targets, {targets.shape}")
    if not n:
        raise KellyError(f"{task.title}: no sequences, expected at least one; look at the source's settings")
    low = {"inputs": np.inf, "targets": np.inf}
    high = {"inputs": -np.inf, "targets": -np.inf}
    for block in blocks(sequences):
        for name, array in (("inputs", block.inputs), ("targets", block.targets)):
            there = array if block.mask is None or name == "inputs" else array[block.mask]
            if not np.isfinite(there).all():
                raise KellyError(f"{task.title}: {name} hold values that are not finite; mend or leave out their files")
            if there.size:
                low[name] = min(low[name], there.min())
                high[name] = max(high[name], there.max())
    for name, value in low.items():
        if value == high[name]:
            raise KellyError(f"{task.title}: all {name} are {value}; there is nothing to learn from them")
    if classes and not 0 <= low["targets"] <= high["targets"] < task.num_outputs:
        raise KellyError(
            f"{task.title}: classes {low['targets']}..{high['targets']}, expected 0..{task.num_outputs - 1}"
        )
