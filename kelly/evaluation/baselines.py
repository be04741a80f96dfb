"""What a network must beat: predictors so simple that a score without them says nothing.

Each takes the training, validation and test side and returns its outputs for the test side, float64[n, num_frames,
out]; what it has to choose, it chooses on the validation side.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly.data.dataset import Sequences
from kelly.evaluation import ngrams
from kelly.evaluation.metrics import Predicted, blocks, loss
from kelly.tasks import Task

Floats = NDArray[np.float64]

PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0, 1_000.0, 10_000.0)
MEMORY = 16  # frames that ridge sees
BLOCK_ROWS = 1_024
SMALLEST = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)  # bounds that keep a linear prediction of a probability away from 0 and 1
NO_SPREAD = 1e-12  # variance of heard values below which they count as equal
FEWEST_TOLD = 3  # any two values lie on a line


def as_outputs(task: Task, sequences: Sequences) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Targets in the form of outputs [n, num_frames, out] (a class as one 1 among zeros), and which are there."""
    there = Predicted(sequences, np.empty(0)).there
    if task.loss != "cross_entropy":
        return np.asarray(sequences.targets), there
    shape = (*there.shape, task.num_outputs)
    return np.eye(task.num_outputs, dtype=np.float32)[sequences.targets], np.broadcast_to(there[..., None], shape)


def mean_target(task: Task, sequences: Sequences) -> Floats:
    """The mean of each output's targets, [out]: the best constant. Chances start from half a case each way.

    Variations do not count: a baseline that they moved would make the same network look better.
    """
    total, number = np.zeros((2, task.num_outputs))
    for rows in blocks(sequences, task.num_outputs):
        block = sequences.take(rows)
        if block.augmented is not None:
            block = block.take(np.flatnonzero(~block.augmented))
        targets, there = as_outputs(task, block)
        total += np.where(there, targets.astype(np.float64), 0.0).sum(axis=(0, 1))
        number += there.sum(axis=(0, 1))
    if task.loss == "mse":
        return np.asarray(total / np.maximum(1, number))
    if task.loss == "bce":
        return np.asarray((total + 0.5) / (number + 1))
    return np.asarray((total + 0.5) / (total + 0.5).sum())


def constant(task: Task, train: Sequences, _validation: Sequences, test: Sequences) -> Floats:
    """The mean of the training targets, whatever goes in."""
    return np.broadcast_to(mean_target(task, train), (*test.inputs.shape[:2], task.num_outputs))


def category(task: Task, train: Sequences, _validation: Sequences, test: Sequences) -> Floats:
    """The mean of the training targets of the same category (mode, style): a table."""
    assert train.category is not None
    assert test.category is not None
    outputs = np.array(constant(task, train, train, test))
    for name in np.unique(train.category):
        outputs[test.category == name] = mean_target(task, train.take(np.flatnonzero(train.category == name)))
    return outputs


def persistence(task: Task, train: Sequences, validation: Sequences, test: Sequences) -> Floats:
    """What was heard goes on: for each output the least-squares line from its last heard value; else the constant."""
    slope, offset = lines_from_heard(task, train)
    otherwise = mean_target(task, train)

    def guess(side: Sequences) -> Floats:
        assert side.previous is not None
        on_line = side.previous * slope + offset
        return np.where(np.isfinite(on_line), on_line, otherwise)

    return bounded(task, guess(test), best_bound(task, guess(validation), validation)[1])


def lines_from_heard(task: Task, train: Sequences) -> tuple[Floats, Floats]:
    """Slope and offset [out] of the least-squares line from the last heard value of each output to its target.

    Level at the mean where the heard values don't differ; nan where fewer than FEWEST_TOLD of them have a target.
    """

    def told() -> Iterable[tuple[Floats, Floats, NDArray[np.bool_]]]:
        for rows in blocks(train, task.num_outputs):
            side = train.take(rows)
            assert side.previous is not None
            targets, there = as_outputs(task, side)
            both = there & np.isfinite(side.previous)
            x, y = (np.where(both, a, 0.0).astype(np.float64) for a in (side.previous, targets))
            yield x, y, both

    sums = np.zeros((3, task.num_outputs))
    for x, y, both in told():
        sums += [array.sum(axis=(0, 1)) for array in (x, y, both)]
    number = sums[2]
    x_mean, y_mean = sums[:2] / np.maximum(1, number)
    spread, shared = np.zeros((2, task.num_outputs))
    for x, y, both in told():
        away = np.where(both, x - x_mean, 0.0)
        spread += (away**2).sum(axis=(0, 1))
        shared += (away * (y - y_mean)).sum(axis=(0, 1))
    # Equal values differ from their mean by a rounding error, which must not become a slope.
    slope = np.where(spread > NO_SPREAD * number, shared / np.where(spread > 0, spread, 1.0), 0.0)
    return slope, np.where(number >= FEWEST_TOLD, y_mean - slope * x_mean, np.nan)


def best_bound(task: Task, outputs: Floats, side: Sequences) -> tuple[float, float]:
    """The loss of linear predictions of a side within the best of the bounds SMALLEST, and that bound."""
    choices = SMALLEST if task.loss != "mse" else SMALLEST[:1]
    return min((loss(task.loss, Predicted(side, bounded(task, outputs, s))), s) for s in choices)


def ridge(task: Task, train: Sequences, validation: Sequences, test: Sequences) -> Floats:
    """Linear regression with a penalty, on the frame and the earlier ones of its sequence."""
    _, smallest, fit = min(
        ((*best_bound(task, linear(fit, validation), validation), fit) for fit in fits(task, train)),
        key=lambda found: found[0],
    )
    return bounded(task, linear(fit, test), smallest)


def linear(fit: Floats, side: Sequences) -> Floats:
    """What coefficients [columns of `with_earlier_frames`, out] predict for a side: [n, num_frames, out]."""
    outputs = np.empty((*side.inputs.shape[:2], fit.shape[1]))
    for rows, t, x in with_earlier_frames(side.inputs):
        outputs[rows, t] = x @ fit[: x.shape[1]]
    return outputs


def with_earlier_frames(inputs: NDArray[np.float32]) -> Iterable[tuple[slice, int, Floats]]:
    """Some sequences and one frame at a time, since the whole would be large: which, and the design matrix of it.

    Its columns are a one, the frame, the one before it, and so on to MEMORY frames; at the start of a sequence there
    are fewer: what would be zero is not there, which halves the work on short sequences.
    """
    n, num_frames, _ = inputs.shape
    for start in range(0, n, BLOCK_ROWS):
        rows = slice(start, min(start + BLOCK_ROWS, n))
        for t in range(num_frames):
            ages = inputs[rows, max(0, t + 1 - MEMORY) : t + 1][:, ::-1].reshape(rows.stop - start, -1)
            yield rows, t, np.concatenate([np.ones((len(ages), 1)), ages], axis=1)


def fits(task: Task, train: Sequences) -> Iterable[Floats]:
    """Coefficients [columns of `with_earlier_frames`, out] for each of PENALTIES; the first, of the ones, is free.

    One system of normal equations serves all penalties, and all outputs whose targets are missing in the same rows. An
    output that is never there gets zeros: its targets were not seen.
    """
    targets, there = as_outputs(task, train)
    flags = np.packbits(there.reshape(-1, task.num_outputs), axis=0)
    _, first, group = np.unique(flags, axis=1, return_index=True, return_inverse=True)
    size = min(train.inputs.shape[1], MEMORY) * task.num_inputs + 1
    systems = [(np.zeros((size, size)), np.zeros((size, (group == i).sum()))) for i in range(len(first))]
    for rows, t, x in with_earlier_frames(train.inputs):
        columns = slice(x.shape[1])
        for i, (a, b) in enumerate(systems):
            known = there[rows, t, first[i]]
            told, y = x[known], targets[rows, t][known][:, group == i].astype(np.float64)
            a[columns, columns] += told.T @ told
            b[columns] += told.T @ y
    penalised = np.eye(size)
    penalised[0, 0] = 0.0
    for penalty in PENALTIES:
        fit = np.zeros((size, task.num_outputs))
        for i, (a, b) in enumerate(systems):
            if a.any():
                fit[:, group == i] = np.linalg.solve(a + penalty * penalised, b)
        yield fit


def bounded(task: Task, outputs: Floats, smallest: float) -> Floats:
    """Linear predictions as chances, where the task's outputs are such."""
    if task.loss == "mse":
        return outputs
    outputs = np.clip(outputs, smallest, 1 - smallest)
    return outputs if task.loss == "bce" else outputs / outputs.sum(axis=-1, keepdims=True)


Reference = Callable[[Task, Sequences, Sequences, Sequences], Floats]

TASK_BASELINES: Mapping[str, Mapping[str, Reference]] = {"harmonypredictor": ngrams.NGRAMS}


def references(task: Task, sequences: Sequences) -> dict[str, Reference]:
    """The references that this data allows beside the constant, by name."""
    available: dict[str, Reference] = {"ridge": ridge}
    if sequences.previous is not None:
        available["persistence"] = persistence
    if sequences.category is not None:
        available["category"] = category
    return {**available, **TASK_BASELINES.get(task.name, {})}
