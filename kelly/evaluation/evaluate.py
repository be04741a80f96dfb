"""Network and data → scores, beside the best constant, simple predictors and, where it is known, the best possible.

Two controls go with them: how far another choice of test pieces could have moved them (`intervals`), and what the same
network scores when each piece is predicted from the inputs of another (`shuffled`).

The test side is one that nothing was chosen on. What is scored is any function from inputs to outputs: the exported
file in the pipeline, a checkpoint on the command line.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly.data.dataset import Sequences
from kelly.evaluation.baselines import constant, references
from kelly.evaluation.bootstrap import SEED, intervals
from kelly.evaluation.metrics import METRICS, Cost, Predicted, Scores, cost
from kelly.tasks import Task

Network = Callable[[NDArray[np.float32]], NDArray[Any]]


def skill(value: float, baseline: float, floor: float | None) -> float:
    """Share of what can be learned that was learned; where the floor is not known it is 0: the relative gain."""
    return (baseline - value) / (baseline - (floor or 0.0))


def core_scores(task: Task, network: Network, parts: Mapping[str, Sequences]) -> Scores:
    """Loss, baseline, floor where it is known, and skill on the test side; the scores that an export carries."""
    test = parts["test"]
    return as_scores(*costs(task, Predicted(test, network(test.inputs)), parts))


def costs(task: Task, predicted: Predicted, parts: Mapping[str, Sequences]) -> tuple[Cost, Cost, Cost | None]:
    """The loss of predictions, of the best constant and, where the data holds it, of the best possible prediction."""
    test = predicted.sequences
    mean = constant(task, parts["train"], parts["validation"], test)
    floor = None if test.oracle is None else cost(task.loss, Predicted(test, np.asarray(test.oracle, np.float64)))
    return cost(task.loss, predicted), cost(task.loss, Predicted(test, mean)), floor


def as_scores(network: Cost, baseline: Cost, floor: Cost | None) -> Scores:
    """Losses and the skill."""
    best = None if floor is None else floor.mean
    value = skill(network.mean, baseline.mean, best)
    scores = {"loss": network.mean, "baseline_loss": baseline.mean, "skill": value}
    return scores if best is None else scores | {"floor_loss": best}


def evaluate(
    task: Task, network: Network, parts: Mapping[str, Sequences], outputs: NDArray[Any] | None = None
) -> Scores:
    """All scores of one network on the test side, and statefully on the stream if it is recurrent.

    outputs: the network's on the test side, where they are known already
    """
    train, validation, test = parts["train"], parts["validation"], parts["test"]
    predicted = [
        Predicted(test, network(test.inputs) if outputs is None else outputs),
        Predicted(validation, network(validation.inputs)),
    ]
    own = costs(task, predicted[0], parts)
    others = {
        name: cost(task.loss, Predicted(test, reference(task, train, validation, test)))
        for name, reference in references(task, test).items()
    }
    pieces = np.unique(test.groups, return_inverse=True)[1]
    if pieces.max() > 0:
        others["shuffled"] = cost(task.loss, Predicted(test, predicted[0].outputs[of_other_pieces(pieces)]))
    scores = as_scores(*own) | {"num_test_pieces": int(pieces.max()) + 1}
    for name, other in others.items():
        scores[f"{name}_loss"] = other.mean
        scores[f"{name}_skill"] = skill(other.mean, scores["baseline_loss"], scores.get("floor_loss"))
        scores[f"{name}_gap"] = other.mean - scores["loss"]
    scores |= intervals(*own, others, pieces)
    mean = Predicted(test, constant(task, train, validation, test))
    scores |= METRICS[task.name](predicted[0], predicted[1], mean)
    if task.is_recurrent:
        scores |= stateful_scores(task, network, parts)
    return scores


def of_other_pieces(pieces: NDArray[np.intp]) -> NDArray[np.intp]:
    """A permutation that gives each sequence one of another piece, as far as there are enough; always the same.

    pieces: int[n], the number of each sequence's piece. The outputs at these rows are those of a network that heard
    the other piece, since each sequence starts from a reset.
    """
    rng = np.random.default_rng(SEED)
    sizes = np.bincount(pieces)
    order = np.lexsort((rng.permutation(len(pieces)), rng.permutation(len(sizes))[pieces]))
    rows = np.empty_like(order)
    # In an order of whole pieces a step as long as the longest leads out of each.
    rows[order] = np.roll(order, -sizes.max())
    return rows


def stateful_scores(task: Task, network: Network, parts: Mapping[str, Sequences]) -> Scores:
    """The core scores over one stream in which the state is never reset, as in the plugin."""
    stream = core_scores(task, network, {**parts, "test": parts["stream"]})
    return {"stateful_frames": parts["stream"].inputs.shape[1]} | {f"stateful_{k}": v for k, v in stream.items()}
