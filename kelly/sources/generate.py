"""Generates the data set of one network from a source and its settings, checks it and writes it to disk."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kelly.config.params import TaskConfig
from kelly.data.dataset import Dataset, Sequences, hash_arrays, read_metadata, write_metadata
from kelly.data.loading import datasets_folder
from kelly.runtime.atomic import replacing_folder, write_text
from kelly.runtime.errors import KellyError
from kelly.sources.extraction.folder_dataset import FolderDataset, open_folder
from kelly.sources.extraction.workers import workers
from kelly.sources.layouts import LAYOUTS
from kelly.sources.registry import SOURCES
from kelly.sources.source import GeneratedSource
from kelly.tasks import Task

BLOCK_BYTES = 2**25  # of inputs


def generate_data(config: TaskConfig, root: Path) -> Dataset:
    """Generate or read the data of one network into `datasets_folder(root, model)`; raises as `generate` does."""
    with workers(config.extraction.num_workers, config.extraction.dask):
        return generate(config.task, config.source, config.data, datasets_folder(root, config.task.name))


def generate(task: Task, source: str, settings: Mapping[str, Any], folder: Path) -> Dataset:
    """Generate or read the data of one network from `source` with its `settings` and write it to `folder`.

    Replaces the data in `folder` once the new data is complete. Raises KellyError where the source cannot be read, or
    `check` refuses its data.
    """
    workspace = folder.with_name(f".{folder.name}.partial-files")
    data = _open(task, source, settings)
    fingerprint = _fingerprint(data)
    with replacing_folder(folder) as temporary:
        facts = data.save(temporary, workspace) if isinstance(data, FolderDataset) else data.save(temporary)
        check(task, Sequences.load(temporary))
        if (temporary / "stream").exists():
            check(task, Sequences.load(temporary / "stream"))
        write_metadata(temporary, {"model": task.name, "source": source, "settings": dict(settings)}, facts)
        if fingerprint and _fingerprint(_open(task, source, settings)) != fingerprint:
            raise KellyError(
                f"{settings['path']}: files were added, removed or changed while they were read, so the data was "
                "discarded; run it again"
            )
    if fingerprint:
        write_text(_fingerprint_file(folder), f"{fingerprint} {read_metadata(folder)['sha256']}\n")
    shutil.rmtree(workspace, ignore_errors=True)
    return Dataset.load(folder)


def _open(task: Task, source: str, settings: Mapping[str, Any]) -> Dataset | FolderDataset:
    """Generate the data, or list the files that it is read from. Raises KellyError where the folder is invalid."""
    kind = SOURCES[task.name][source]
    if isinstance(kind, GeneratedSource):
        return kind.make(**settings)
    return open_folder(LAYOUTS[source], kind, settings)


def _fingerprint(data: Dataset | FolderDataset) -> str:
    """Of the files that data is read from; empty for data that is generated."""
    return data.job.files_fingerprint() if isinstance(data, FolderDataset) else ""


def is_current(task: Task, source: str, settings: Mapping[str, Any], folder: Path) -> bool:
    """Whether `folder` contains the data of this source and settings, undamaged, and no source file changed since."""
    if not _has_origin(task, source, settings, folder) or read_metadata(folder)["sha256"] != hash_arrays(folder):
        return False
    return not is_outdated(task, source, settings, folder)


def is_outdated(task: Task, source: str, settings: Mapping[str, Any], folder: Path) -> bool:
    """Whether files of the source were added, removed or changed since the data in `folder` was read from it.

    False where that is unknown: `folder` contains other data, or data from another machine.
    """
    file = _fingerprint_file(folder)
    if not _has_origin(task, source, settings, folder) or not file.exists():
        return False
    fingerprint, _, sha256 = file.read_text(encoding="utf-8").strip().partition(" ")
    if sha256 != read_metadata(folder)["sha256"]:
        return False
    return _fingerprint(_open(task, source, settings)) not in ("", fingerprint)


def _has_origin(task: Task, source: str, settings: Mapping[str, Any], folder: Path) -> bool:
    if not (folder / "dataset.json").exists():
        return False
    metadata = read_metadata(folder)
    return (metadata["model"], metadata["source"], metadata["settings"]) == (task.name, source, dict(settings))


def _fingerprint_file(folder: Path) -> Path:
    """Next to the data, not in it: modification times must not change what DVC considers the same data."""
    return folder.with_name(f".{folder.name}.files")


def check(task: Task, sequences: Sequences) -> None:
    """Raise KellyError where shapes are not the task's, values are not finite, or all inputs or targets are equal."""
    inputs, targets, mask = sequences.inputs, sequences.targets, sequences.mask
    n, num_frames = inputs.shape[:2]
    is_class = task.loss == "cross_entropy"
    num_outputs = () if is_class else (task.num_outputs,)
    if inputs.shape[2:] != (task.num_inputs,) or targets.shape != (n, num_frames, *num_outputs):
        raise KellyError(
            f"{task.title}: inputs {inputs.shape} and targets {targets.shape}, expected "
            f"{('n', 'num_frames', task.num_inputs)} and {('n', 'num_frames', *num_outputs)}"
        )
    if mask is not None and mask.shape != targets.shape:
        raise KellyError(f"{task.title}: mask {mask.shape}, expected the shape of the targets, {targets.shape}")
    if not n:
        raise KellyError(f"{task.title}: no sequences, expected at least one; check the source's settings")
    num_rows = max(1, BLOCK_BYTES * n // max(1, inputs.nbytes))  # at once: data sets may be larger than memory
    for name, array in (("inputs", inputs), ("targets", targets)):
        low, high = np.inf, -np.inf
        for start in range(0, n, num_rows):
            rows = slice(start, start + num_rows)
            values = array[rows] if mask is None or name == "inputs" else array[rows][mask[rows]]
            if not np.isfinite(values).all():
                raise KellyError(f"{task.title}: {name} are not all finite; repair or remove the files they come from")
            if values.size:
                low, high = min(low, values.min()), max(high, values.max())
        if low == high:
            raise KellyError(f"{task.title}: all {name} are {low}, so there is nothing to learn; use other data")
    if is_class and not 0 <= low <= high < task.num_outputs:
        raise KellyError(f"{task.title}: classes {low}..{high}, expected 0..{task.num_outputs - 1}")
