"""Baselines: simple predictors that a network must beat.

Each takes the training, validation and test splits and returns its outputs for the test split, float64[n, num_frames,
out]; hyperparameters are chosen on the validation split.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly.data.dataset import Sequences
from kelly.evaluation import ngrams
from kelly.evaluation.metrics import Floats, Predictions, mean_loss, row_blocks
from kelly.tasks import Task

PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0, 1_000.0, 10_000.0)
MEMORY = 16  # frames that ridge sees
BLOCK_ROWS = 1_024
BOUNDS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)  # keep a linear prediction of a probability away from 0 and 1
MIN_VARIANCE = 1e-12  # below it, previous values count as equal
MIN_POINTS = 3  # any two points lie on a line


def as_outputs(task: Task, sequences: Sequences) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Targets in the form of outputs [n, num_frames, out], classes one-hot, and which of them are valid."""
    valid = Predictions(sequences, np.empty(0)).valid
    if task.loss != "cross_entropy":
        return np.asarray(sequences.targets), valid
    shape = (*valid.shape, task.num_outputs)
    return np.eye(task.num_outputs, dtype=np.float32)[sequences.targets], np.broadcast_to(valid[..., None], shape)


def mean_target(task: Task, sequences: Sequences) -> Floats:
    """The mean of each output's targets, [out]: the best constant. Probabilities are smoothed by half a case each way.

    Augmented copies do not count: if they moved the baseline, the same network would look better.
    """
    total, count = np.zeros((2, task.num_outputs))
    for rows in row_blocks(sequences, task.num_outputs):
        block = sequences.take(rows)
        if block.augmented is not None:
            block = block.take(np.flatnonzero(~block.augmented))
        targets, valid = as_outputs(task, block)
        total += np.where(valid, targets.astype(np.float64), 0.0).sum(axis=(0, 1))
        count += valid.sum(axis=(0, 1))
    if task.loss == "mse":
        return np.asarray(total / np.maximum(1, count))
    if task.loss == "bce":
        return np.asarray((total + 0.5) / (count + 1))
    return np.asarray((total + 0.5) / (total + 0.5).sum())


def constant_predictions(sequences: Sequences, outputs: Floats) -> Predictions:
    """The same outputs, float64[out], for every frame."""
    return Predictions(sequences, np.broadcast_to(outputs, (*sequences.inputs.shape[:2], len(outputs))))


def constant(task: Task, train: Sequences, _validation: Sequences, test: Sequences) -> Floats:
    """The mean of the training targets, whatever the input."""
    return constant_predictions(test, mean_target(task, train)).outputs


def category_mean(task: Task, train: Sequences, _validation: Sequences, test: Sequences) -> Floats:
    """The mean of the training targets of the same category (mode, style)."""
    assert train.category is not None
    assert test.category is not None
    outputs = np.array(constant(task, train, train, test))
    for name in np.unique(train.category):
        outputs[test.category == name] = mean_target(task, train.take(np.flatnonzero(train.category == name)))
    return outputs


def persistence(task: Task, train: Sequences, validation: Sequences, test: Sequences) -> Floats:
    """Each output from its most recent observed value, by a least-squares line; the constant where there is none."""
    slope, offset = lines_from_previous(task, train)
    mean = mean_target(task, train)

    def predict(split: Sequences) -> Floats:
        assert split.previous is not None
        on_line = split.previous * slope + offset
        return np.where(np.isfinite(on_line), on_line, mean)

    return bounded(task, predict(test), best_bound(task, predict(validation), validation)[1])


def lines_from_previous(task: Task, train: Sequences) -> tuple[Floats, Floats]:
    """Slope and offset [out] of the least-squares line from the previous value of each output to its target.

    Level at the mean where the previous values are equal; nan where fewer than MIN_POINTS of them have a target.
    """

    def points() -> Iterable[tuple[Floats, Floats, NDArray[np.bool_]]]:
        for rows in row_blocks(train, task.num_outputs):
            split = train.take(rows)
            assert split.previous is not None
            targets, valid = as_outputs(task, split)
            both = valid & np.isfinite(split.previous)
            x, y = (np.where(both, a, 0.0).astype(np.float64) for a in (split.previous, targets))
            yield x, y, both

    sums = np.zeros((3, task.num_outputs))
    for x, y, both in points():
        sums += [array.sum(axis=(0, 1)) for array in (x, y, both)]
    count = sums[2]
    x_mean, y_mean = sums[:2] / np.maximum(1, count)
    variance, covariance = np.zeros((2, task.num_outputs))  # times `count`
    for x, y, both in points():
        deviation = np.where(both, x - x_mean, 0.0)
        variance += (deviation**2).sum(axis=(0, 1))
        covariance += (deviation * (y - y_mean)).sum(axis=(0, 1))
    # Equal values differ from their mean by a rounding error, which must not become a slope.
    slope = np.where(variance > MIN_VARIANCE * count, covariance / np.where(variance > 0, variance, 1.0), 0.0)
    return slope, np.where(count >= MIN_POINTS, y_mean - slope * x_mean, np.nan)


def best_bound(task: Task, outputs: Floats, split: Sequences) -> tuple[float, float]:
    """The loss of linear predictions of a split within the best of BOUNDS, and that bound."""
    bounds = BOUNDS if task.loss != "mse" else BOUNDS[:1]
    return min((mean_loss(task.loss, Predictions(split, bounded(task, outputs, b))), b) for b in bounds)


def ridge(task: Task, train: Sequences, validation: Sequences, test: Sequences) -> Floats:
    """Ridge regression on the frame and the MEMORY − 1 before it in its sequence."""
    _, bound, coefficients = min(
        ((*best_bound(task, linear(fit, validation), validation), fit) for fit in ridge_fits(task, train)),
        key=lambda candidate: candidate[0],
    )
    return bounded(task, linear(coefficients, test), bound)


def linear(coefficients: Floats, split: Sequences) -> Floats:
    """Predictions [n, num_frames, out] from coefficients [columns of `design_matrices`, out]."""
    outputs = np.empty((*split.inputs.shape[:2], coefficients.shape[1]))
    for rows, t, x in design_matrices(split.inputs):
        outputs[rows, t] = x @ coefficients[: x.shape[1]]
    return outputs


def design_matrices(inputs: NDArray[np.float32]) -> Iterable[tuple[slice, int, Floats]]:
    """Rows, frame and design matrix of blocks of sequences, one frame at a time: all at once would be large.

    The columns are a one, the frame, the one before it, and so on to MEMORY frames. At the start of a sequence there
    are fewer: leaving out what would be zero halves the work on short sequences.
    """
    n, num_frames, _ = inputs.shape
    for start in range(0, n, BLOCK_ROWS):
        rows = slice(start, min(start + BLOCK_ROWS, n))
        for t in range(num_frames):
            window = inputs[rows, max(0, t + 1 - MEMORY) : t + 1][:, ::-1].reshape(rows.stop - start, -1)
            yield rows, t, np.concatenate([np.ones((len(window), 1)), window], axis=1)


def ridge_fits(task: Task, train: Sequences) -> Iterable[Floats]:
    """Coefficients [columns of `design_matrices`, out] for each of PENALTIES; the intercept is not penalized.

    One system of normal equations serves all penalties, and all outputs whose targets are missing in the same rows. An
    output without any target gets zeros.
    """
    targets, valid = as_outputs(task, train)
    flags = np.packbits(valid.reshape(-1, task.num_outputs), axis=0)
    _, first, group = np.unique(flags, axis=1, return_index=True, return_inverse=True)
    size = min(train.inputs.shape[1], MEMORY) * task.num_inputs + 1
    systems = [(np.zeros((size, size)), np.zeros((size, (group == i).sum()))) for i in range(len(first))]
    for rows, t, x in design_matrices(train.inputs):
        columns = slice(x.shape[1])
        for i, (a, b) in enumerate(systems):
            known = valid[rows, t, first[i]]
            x_known, y = x[known], targets[rows, t][known][:, group == i].astype(np.float64)
            a[columns, columns] += x_known.T @ x_known
            b[columns] += x_known.T @ y
    penalized = np.eye(size)
    penalized[0, 0] = 0.0
    for penalty in PENALTIES:
        fit = np.zeros((size, task.num_outputs))
        for i, (a, b) in enumerate(systems):
            if a.any():
                fit[:, group == i] = np.linalg.solve(a + penalty * penalized, b)
        yield fit


def bounded(task: Task, outputs: Floats, bound: float) -> Floats:
    """Linear predictions clipped to probabilities, if the task's outputs are probabilities."""
    if task.loss == "mse":
        return outputs
    outputs = np.clip(outputs, bound, 1 - bound)
    return outputs if task.loss == "bce" else outputs / outputs.sum(axis=-1, keepdims=True)


Baseline = Callable[[Task, Sequences, Sequences, Sequences], Floats]

TASK_BASELINES: Mapping[str, Mapping[str, Baseline]] = {"harmonypredictor": ngrams.NGRAMS}


def available_baselines(task: Task, sequences: Sequences) -> dict[str, Baseline]:
    """The baselines besides the constant that this data allows, by name."""
    available: dict[str, Baseline] = {"ridge": ridge}
    if sequences.previous is not None:
        available["persistence"] = persistence
    if sequences.category is not None:
        available["category_mean"] = category_mean
    return {**available, **TASK_BASELINES.get(task.name, {})}
