"""Folds of the pieces that are not test: whole pieces, and the same distribution of emotions in each fold."""

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

MIN_FOLDS = 2


def make_folds(
    task: Task, dataset: Dataset, indices: dict[str, Indices], splitting: SplitConfig, number: int
) -> list[Indices]:
    """Deal the pieces of 'train' and 'validation' into `number` folds; returns the rows of each, ascending.

    Raises KellyError where there are fewer pieces than folds.
    """
    rows = np.sort(np.concatenate([indices["train"], indices["validation"]]))
    sequences = dataset.sequences.take(rows)
    pieces = len(np.unique(sequences.groups))
    if not MIN_FOLDS <= number <= pieces:
        raise KellyError(f"{number} folds: expected {MIN_FOLDS} to {pieces}, the number of pieces of {task.title} that "
                         "are not test")  # fmt: skip
    folds = StratifiedGroupKFold(number, shuffle=True, random_state=splitting.seed)
    strata = merge_rare(quadrants(task, sequences), number)
    return [rows[held_out] for _, held_out in folds.split(rows, strata, sequences.groups)]


def fold_splits(
    dataset: Dataset, held_out: Indices, indices: dict[str, Indices], splitting: SplitConfig
) -> dict[str, Indices]:
    """The splits for one fold: 'test' is the fold, and 'validation' is drawn from the other pieces.

    The data set's own test split is in none of them.
    """
    predefined = np.full(len(dataset.sequences), "", dtype="<U10")
    predefined[np.concatenate([indices["train"], indices["validation"]])] = "train"
    predefined[held_out] = "test"
    fold = Dataset(replace(dataset.sequences, predefined_split=predefined))
    return split_dataset(fold, splitting.seed, splitting.validation_split, splitting.test_split)


def quadrants(task: Task, sequences: Sequences) -> NDArray[np.intp]:
    """The quadrant of the emotion plane of each sequence: 2 if valence is above 0, plus 1 if arousal is."""
    # The sign of the mean is that of the sum.
    valence, arousal = np.nansum(coordinates(task, sequences)[..., :2], axis=1).T > 0
    return np.asarray(2 * valence + arousal, dtype=np.intp)


def merge_rare(strata: NDArray[np.intp], number: int) -> NDArray[np.intp]:
    """Merge strata of fewer than `number` members into the largest, since they cannot be in every fold."""
    sizes = np.bincount(strata)
    return np.where(sizes[strata] < number, sizes.argmax(), strata)
