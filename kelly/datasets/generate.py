"""From a source's name and settings to a checked data set on disk: the one way that data comes in."""

from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np

from kelly.datasets.sequences import Dataset, Sequences, digest, read_about
from kelly.errors import KellyError
from kelly.tasks import Task


def generate(task: Task, source: str, settings: Mapping[str, Any], folder: Path) -> Dataset:
    """Read or draw the data of one task from `source` with its `settings` and write it to `folder`.

    Raises KellyError where the source cannot serve, or yields what the network cannot learn from.
    """
    dataset: Dataset = resolve_name(task.sources[source])(**settings)
    check(task, dataset.sequences)
    if dataset.stream is not None:
        check(task, dataset.stream)
    dataset.save(folder, {"model": task.name, "source": source, "settings": dict(settings)})
    return dataset


def is_current(task: Task, source: str, settings: Mapping[str, Any], folder: Path) -> bool:
    """Whether `folder` holds just this data already, every array as it was written."""
    if not (folder / "dataset.json").exists():
        return False
    about = read_about(folder)
    wanted = (about["model"], about["source"], about["settings"]) == (task.name, source, dict(settings))
    return wanted and about["sha256"] == digest(folder)


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
    for name, array in (("inputs", inputs), ("targets", targets)):
        there = array if mask is None or name == "inputs" else array[mask]
        if not np.isfinite(there).all():
            raise KellyError(f"{task.title}: {name} hold values that are not finite; mend or leave out their files")
        if there.size and there.min() == there.max():
            raise KellyError(f"{task.title}: all {name} are {there.flat[0]}; there is nothing to learn from them")
    if classes and not 0 <= targets.min() <= targets.max() < task.num_outputs:
        raise KellyError(f"{task.title}: classes {targets.min()}..{targets.max()}, expected 0..{task.num_outputs - 1}")
