"""Baselines for chord progressions: smoothed n-grams of chords, with and without the mode of the piece.

Each level interpolates with the one below: `P(y|c) = (count(c, y) + a·P_lower(y)) / (count(c) + a)`, from the uniform
distribution up; `a` is chosen on the validation split, level by level (Jelinek-Mercer in MacKay & Peto's form, "A
hierarchical Dirichlet language model", Natural Language Engineering 1(3), 1995).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kelly.data.dataset import Sequences
from kelly.evaluation.metrics import Predictions, mean_loss
from kelly.tasks import Task

Floats = NDArray[np.float64]
Context = tuple[str | int, ...]
Levels = Callable[[str, int, int], list[Context]]  # mode, last chord, second to last → contexts from short to long

WEIGHTS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)


def bigram(task: Task, train: Sequences, validation: Sequences, test: Sequences) -> Floats:
    """The next chord given the last."""
    return interpolated(task, (train, validation, test), lambda mode, last, second: [(), (last,)])


def trigram(task: Task, train: Sequences, validation: Sequences, test: Sequences) -> Floats:
    """The next chord given the last two."""
    return interpolated(task, (train, validation, test), lambda mode, last, second: [(), (last,), (last, second)])


def trigram_given_mode(task: Task, train: Sequences, validation: Sequences, test: Sequences) -> Floats:
    """The next chord given the last two and the mode of the whole piece, unknown to a listener at its start."""
    return interpolated(
        task, (train, validation, test), lambda mode, last, second: [(), (mode,), (mode, last), (mode, last, second)]
    )


def interpolated(task: Task, splits: tuple[Sequences, Sequences, Sequences], levels: Levels) -> Floats:
    """Probabilities float64[n, 1, 64] of each next chord of the last of `splits`: train, validation, test."""
    train, validation, _ = splits
    contexts = [[levels(*known) for known in zip(*history(split), strict=True)] for split in splits]
    probabilities = [np.full((len(split), 1, task.num_outputs), 1 / task.num_outputs) for split in splits]
    for level in range(len(contexts[0][0])):
        table: dict[Context, Floats] = {}
        for context, target in zip(contexts[0], train.targets[:, 0], strict=True):
            table.setdefault(context[level], np.zeros(task.num_outputs))[target] += 1
        unseen = np.zeros(task.num_outputs)
        counts = [np.array([table.get(context[level], unseen) for context in split])[:, None] for split in contexts]
        losses = [
            mean_loss(task.loss, Predictions(validation, smoothed(counts[1], probabilities[1], w))) for w in WEIGHTS
        ]
        best = WEIGHTS[int(np.argmin(losses))]
        probabilities = [smoothed(count, lower, best) for count, lower in zip(counts, probabilities, strict=True)]
    return probabilities[2]


def smoothed(counts: Floats, lower: Floats, weight: float) -> Floats:
    """Probabilities from counts[n, 1, 64] plus `weight` pseudo-counts distributed like `lower`, the level below."""
    return np.asarray((counts + weight * lower) / (counts.sum(axis=-1, keepdims=True) + weight))


def history(split: Sequences) -> tuple[list[str], list[int], list[int]]:
    """Mode, last chord and the one before of each row, −1 where there is none; read from the harmony context.

    In the context the last chord is 1, and no other reaches it; of the others the one before, at least 0.5, exceeds all
    older ones, which sum to less (repeats are collapsed: it is never the last chord itself).
    """
    context = np.array(split.inputs[:, 0, 64:])
    rows = np.arange(len(context))
    last = np.where(context.max(axis=1) > 0, context.argmax(axis=1), -1)
    context[rows, last] = 0
    second = np.where(context.max(axis=1) > 0, context.argmax(axis=1), -1)
    mode = ["" for _ in rows] if split.category is None else split.category.tolist()
    return mode, last.tolist(), second.tolist()


NGRAMS: dict[str, Callable[[Task, Sequences, Sequences, Sequences], Floats]] = {
    function.__name__: function for function in (bigram, trigram, trigram_given_mode)
}
