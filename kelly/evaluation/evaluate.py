"""Network and data → scores, with those of baselines and, where it is known, of the best possible prediction.

They come with bootstrap intervals and with a control: the scores of the same network when each piece is predicted from
the inputs of another (`shuffled`).

Nothing is ever chosen on the test split. A network is any function from inputs to outputs: the exported file in the
pipeline, a checkpoint on the command line.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly.data.dataset import Sequences
from kelly.evaluation.baselines import available_baselines, constant_predictions, mean_target
from kelly.evaluation.bootstrap import SEED, intervals
from kelly.evaluation.metrics import METRICS, LossSums, Predictions, Scores, loss_sums
from kelly.tasks import Task

Network = Callable[[NDArray[np.float32]], NDArray[Any]]


def skill(loss: float, baseline: float, floor: float | None) -> float:
    """Gain over the baseline as a share of the possible one; with an unknown floor (0) it is the relative gain."""
    return (baseline - loss) / (baseline - (floor or 0.0))


def core_scores(task: Task, network: Network, splits: Mapping[str, Sequences]) -> Scores:
    """Loss, baseline, floor where it is known, and skill on the test split."""
    test = splits["test"]
    return as_scores(*compute_losses(task, Predictions(test, network(test.inputs)), splits))


def compute_losses(
    task: Task, predictions: Predictions, splits: Mapping[str, Sequences]
) -> tuple[LossSums, LossSums, LossSums | None]:
    """The losses of predictions, of the best constant and, where the data has an oracle, of the oracle (the floor)."""
    sequences, floor = predictions.sequences, None
    if sequences.oracle is not None:
        floor = loss_sums(task.loss, Predictions(sequences, np.asarray(sequences.oracle, np.float64)))
    baseline = loss_sums(task.loss, constant_predictions(sequences, mean_target(task, splits["train"])))
    return loss_sums(task.loss, predictions), baseline, floor


def as_scores(network: LossSums, baseline: LossSums, floor: LossSums | None) -> Scores:
    """Losses and skill."""
    value = skill(network.mean, baseline.mean, None if floor is None else floor.mean)
    scores = {"loss": network.mean, "baseline_loss": baseline.mean, "skill": value}
    return scores if floor is None else scores | {"floor_loss": floor.mean}


def evaluate(
    task: Task, network: Network, splits: Mapping[str, Sequences], outputs: NDArray[Any] | None = None
) -> Scores:
    """All scores of one network on the test split and, if it is recurrent, on the stream with its state never reset.

    outputs: the network's on the test split, if they are known already
    """
    train, validation, test = splits["train"], splits["validation"], splits["test"]
    predictions = Predictions(test, network(test.inputs) if outputs is None else outputs)
    network_loss, baseline, floor = compute_losses(task, predictions, splits)
    others = {
        name: loss_sums(task.loss, Predictions(test, predict(task, train, validation, test)))
        for name, predict in available_baselines(task, test).items()
    }
    pieces = np.unique(test.groups, return_inverse=True)[1]
    if pieces.max() > 0:
        shuffled = predictions.outputs[rows_of_other_pieces(pieces)]
        others["shuffled"] = loss_sums(task.loss, Predictions(test, shuffled))
    scores = as_scores(network_loss, baseline, floor) | {"num_test_pieces": int(pieces.max()) + 1}
    for name, other in others.items():
        scores[f"{name}_loss"] = other.mean
        scores[f"{name}_skill"] = skill(other.mean, scores["baseline_loss"], scores.get("floor_loss"))
        scores[f"{name}_gap"] = other.mean - scores["loss"]
    scores |= intervals(network_loss, baseline, floor, others, pieces)
    mean = constant_predictions(test, mean_target(task, train))
    scores |= METRICS[task.name](predictions, Predictions(validation, network(validation.inputs)), mean)
    if task.is_recurrent:
        stream = core_scores(task, network, {**splits, "test": splits["stream"]})
        scores["stateful_frames"] = splits["stream"].inputs.shape[1]
        scores |= {f"stateful_{name}": value for name, value in stream.items()}
    return scores


def rows_of_other_pieces(pieces: NDArray[np.intp]) -> NDArray[np.intp]:
    """A permutation that gives each sequence one of another piece, as far as there are enough; always the same.

    pieces: int[n], the index of each sequence's piece. Outputs in this order are those for the inputs of another piece,
    since the network's state is reset before each sequence.
    """
    rng = np.random.default_rng(SEED)
    sizes = np.bincount(pieces)
    order = np.lexsort((rng.permutation(len(pieces)), rng.permutation(len(sizes))[pieces]))
    rows = np.empty_like(order)
    # In an order that keeps pieces in one block each, a shift by the longest block leaves every block.
    rows[order] = np.roll(order, -sizes.max())
    return rows
