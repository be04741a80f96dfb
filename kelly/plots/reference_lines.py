"""What a loss curve lies between: the best constant and the best possible, on the validation side like the curve."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from kelly.data.dataset import Sequences
from kelly.evaluation.baselines import mean_target
from kelly.evaluation.metrics import Predicted, loss, squared_errors
from kelly.plots.curves import Beside
from kelly.tasks import Task


def beside(task: Task, parts: Mapping[str, Sequences]) -> Beside:
    """The levels beside the curves of one network, from the sides of its data."""
    validation = parts["validation"]
    mean, own = (everywhere(validation, mean_target(task, parts[side])) for side in ("train", "validation"))
    oracle = validation.oracle
    return Beside(
        baseline=loss(task.loss, mean),
        floor=None if oracle is None else loss(task.loss, Predicted(validation, np.asarray(oracle, np.float64))),
        metric=METRICS[task.metric](mean, own),
    )


def everywhere(side: Sequences, constant: NDArray[np.float64]) -> Predicted:
    """The same float64[out] predicted for each frame."""
    return Predicted(side, np.broadcast_to(constant, (*side.inputs.shape[:2], len(constant))))


def cosine_similarity(mean: Predicted, _own: Predicted) -> float:
    """As the history has it."""
    targets, outputs = mean.frames
    norms = np.linalg.norm(targets, axis=1) * np.linalg.norm(outputs, axis=1)
    return float(((targets * outputs).sum(axis=1) / np.maximum(norms, 1e-8)).mean())


def top_10_accuracy(mean: Predicted, _own: Predicted) -> float:
    """As the history has it."""
    targets, outputs = mean.frames
    return float(targets[:, np.argsort(-outputs[0], kind="stable")[:10]].mean())


def top_1_accuracy(mean: Predicted, _own: Predicted) -> float:
    """As the history has it."""
    return float((mean.sequences.targets == mean.outputs[0, 0].argmax())[mean.there].mean())


def r2(mean: Predicted, own: Predicted) -> float:
    """As the history has it: beside the validation side's own mean."""
    return float(1 - squared_errors(mean).sum() / squared_errors(own).sum())


# The metrics that histories follow (kelly.training.objectives), of a constant; own: the validation side's mean.
METRICS: Mapping[str, Callable[[Predicted, Predicted], float]] = {
    metric.__name__: metric for metric in (cosine_similarity, top_10_accuracy, top_1_accuracy, r2)
}
