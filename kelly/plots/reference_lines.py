"""Reference lines for training curves: loss and metric of the best constant, and the floor, on the validation split."""

from collections.abc import Mapping

import numpy as np

from kelly.data.dataset import Sequences
from kelly.evaluation.baselines import constant_predictions, mean_target
from kelly.evaluation.metrics import HISTORY_METRICS, Predictions, mean_loss
from kelly.plots.curves import ReferenceLines
from kelly.tasks import Task


def reference_lines(task: Task, splits: Mapping[str, Sequences]) -> ReferenceLines:
    """The reference lines of one network, from its 'train' and 'validation' splits."""
    validation = splits["validation"]
    baseline = constant_predictions(validation, mean_target(task, splits["train"]))
    # A history measures R² against the mean of its own split.
    mean = constant_predictions(validation, mean_target(task, validation))
    floor = None
    if validation.oracle is not None:
        floor = mean_loss(task.loss, Predictions(validation, np.asarray(validation.oracle, np.float64)))
    return ReferenceLines(
        baseline_loss=mean_loss(task.loss, baseline),
        floor_loss=floor,
        baseline_metric=HISTORY_METRICS[task.metric](baseline, mean),
    )
