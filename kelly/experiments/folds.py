"""Folds of the pieces that are not test: whole pieces, each fold with the same mix of emotions."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from kelly.config.params import SplitConfig
from kelly.data.dataset import Dataset, Sequences
from kelly.data.splits import Indices, split_dataset
from kelly.export.emotion_range import coordinates
from kelly.runtime.errors import KellyError
from kelly.tasks import Task

FEWEST = 2


def folds(task: Task, dataset: Dataset, own: dict[str, Indices], splitting: SplitConfig, number: int) -> list[Indices]:
    """The rows of each of `number` folds of the pieces on the sides 'train' and 'validation' of `own`, ascending.

    Raises KellyError where there are fewer pieces than folds.
    """
    rows = np.sort(np.concatenate([own["train"], own["validation"]]))
    part = dataset.sequences.take(rows)
    pieces = len(np.unique(part.groups))
    if not FEWEST <= number <= pieces:
        raise KellyError(f"{number} folds: expected {FEWEST} to {pieces}, the pieces of {task.title} that are not test")
    found = StratifiedGroupKFold(number, shuffle=True, random_state=splitting.seed)
    return [rows[held_out] for _, held_out in found.split(rows, common(quadrants(task, part), number), part.groups)]


def sides(dataset: Dataset, held_out: Indices, own: dict[str, Indices], splitting: SplitConfig) -> dict[str, Indices]:
    """The sides of one fold: what is held out is 'test', and of the rest pieces are chosen for 'validation'.

    The data set's own test side is on none of them.
    """
    chosen = np.full(len(dataset.sequences), "", dtype="<U10")
    chosen[np.concatenate([own["train"], own["validation"]])] = "train"
    chosen[held_out] = "test"
    fold = Dataset(replace(dataset.sequences, predefined_split=chosen))
    return split_dataset(fold, splitting.seed, splitting.validation_split, splitting.test_split)


def quadrants(task: Task, sequences: Sequences) -> NDArray[np.intp]:
    """In which quarter of the valence-arousal plane each sequence lies, 0..3; 1: arousal, 2: valence above 0."""
    # The mean's sign is that of the sum.
    valence, arousal = np.nansum(coordinates(task, sequences)[..., :2], axis=1).T > 0
    return np.asarray(2 * valence + arousal, dtype=np.intp)


def common(strata: NDArray[np.intp], number: int) -> NDArray[np.intp]:
    """The same strata, those with fewer than `number` members joined to the largest: they cannot be on every fold."""
    sizes = np.bincount(strata)
    return np.where(sizes[strata] < number, sizes.argmax(), strata)
