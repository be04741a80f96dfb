"""What a loss curve lies between: the best constant and the best possible, both on the validation side like the curve.

Computed block by block from data on disk, since a side may be larger than memory.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from kelly import splits
from kelly.datasets.sequences import Dataset, Sequences
from kelly.params import Settings
from kelly.pictures.curves import Beside
from kelly.prepared import datasets_folder, splits_folder
from kelly.references import mean_target
from kelly.scoring import Blockwise, Predicted, blocks, cost
from kelly.tasks import Task
from kelly.training.objectives import METRICS


def beside(settings: Settings, root: Path) -> Beside:
    """The levels beside the curves of one network, from its data below `root`."""
    name = settings.task.name
    whole = Dataset.load(datasets_folder(root, name)).sequences
    needed = Sequences(
        whole.inputs, whole.targets, whole.groups, whole.mask, oracle=whole.oracle, augmented=whole.augmented
    )
    sides = splits.sides(Dataset(needed), splits.load(splits_folder(root, name)))
    return levels(settings.task, sides["train"], sides["validation"])


def levels(task: Task, train: Blockwise, validation: Blockwise) -> Beside:
    """The same from the sides themselves, of which a block is in memory at a time."""
    mean = mean_target(task, train)
    baseline, floor = np.zeros((2, 2))  # sums and numbers of losses
    metric, of_metric = METRICS[task.metric], []
    for rows in blocks(validation, task.num_outputs):
        part = validation.take(rows)
        constant = np.broadcast_to(mean, (*part.inputs.shape[:2], task.num_outputs))
        baseline += total(task, Predicted(part, constant))
        if part.oracle is not None:
            floor += total(task, Predicted(part, np.asarray(part.oracle, np.float64)))
        # A metric takes logits, and either ranks them or, of a network without chances, takes them for its outputs.
        targets, mask = (None if a is None else torch.from_numpy(np.array(a)) for a in (part.targets, part.mask))
        assert targets is not None
        of_metric.append(metric.sums(torch.tensor(constant, dtype=torch.float32), targets, mask))
    return Beside(
        baseline=float(baseline[0] / baseline[1]),
        floor=float(floor[0] / floor[1]) if floor[1] else None,
        metric=metric.value(torch.stack(of_metric).sum(dim=0)),
    )


def total(task: Task, predicted: Predicted) -> NDArray[np.float64]:
    """The sum of the losses of a block, and how many they are."""
    found = cost(task.loss, predicted)
    return np.array([found.sums.sum(), found.numbers.sum()])
