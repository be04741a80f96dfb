"""Network and data → scores, each beside the best constant, ridge regression and, where it is known, the best possible.

The test side is one that nothing was chosen on. What is scored is any function from inputs to outputs: the exported
file in the pipeline, a checkpoint on the command line.
"""

from collections.abc import Callable, Mapping
from pkgutil import resolve_name
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly.datasets.sequences import Sequences
from kelly.references import constant, references
from kelly.scoring import Predicted, Scores, loss
from kelly.tasks import Task

Network = Callable[[NDArray[np.float32]], NDArray[Any]]


def skill(value: float, baseline: float, floor: float | None) -> float:
    """Share of what can be learned that was learned; where the floor is not known it is 0: the relative gain."""
    return (baseline - value) / (baseline - (floor or 0.0))


def core_scores(task: Task, network: Network, parts: Mapping[str, Sequences]) -> Scores:
    """Loss, baseline, floor where it is known, and skill on the test side; the scores that an export carries."""
    test = parts["test"]
    return losses_beside(task, Predicted(test, network(test.inputs)), parts)


def losses_beside(task: Task, predicted: Predicted, parts: Mapping[str, Sequences]) -> Scores:
    """The loss of predictions beside the best constant and, where the data holds it, the best possible prediction."""
    test, value = predicted.sequences, loss(task.loss, predicted)
    baseline = loss(task.loss, Predicted(test, constant(task, parts["train"], parts["validation"], test)))
    floor = None if test.oracle is None else loss(task.loss, Predicted(test, np.asarray(test.oracle, dtype=np.float64)))
    scores = {"loss": value, "baseline_loss": baseline, "skill": skill(value, baseline, floor)}
    return scores if floor is None else scores | {"floor_loss": floor}


def evaluate(task: Task, network: Network, parts: Mapping[str, Sequences]) -> Scores:
    """All scores of one network on the test side, and statefully on the stream if it is recurrent."""
    train, validation, test = parts["train"], parts["validation"], parts["test"]
    predicted = [Predicted(side, network(side.inputs)) for side in (test, validation)]
    scores = losses_beside(task, predicted[0], parts)
    for name, reference in references(task, test).items():
        value = loss(task.loss, Predicted(test, reference(task, train, validation, test)))
        scores[f"{name}_loss"] = value
        scores[f"{name}_skill"] = skill(value, scores["baseline_loss"], scores.get("floor_loss"))
    mean = Predicted(test, constant(task, train, validation, test))
    scores |= resolve_name(task.scores)(*predicted, mean)
    if task.is_recurrent:
        scores |= stateful_scores(task, network, parts)
    return scores


def stateful_scores(task: Task, network: Network, parts: Mapping[str, Sequences]) -> Scores:
    """The core scores over one stream in which the state is never reset, as in the plugin."""
    stream = core_scores(task, network, {**parts, "test": parts["stream"]})
    return {"stateful_frames": parts["stream"].inputs.shape[1]} | {f"stateful_{k}": v for k, v in stream.items()}
