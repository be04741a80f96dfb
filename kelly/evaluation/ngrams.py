"""The references for chord progressions: smoothed n-grams of chords, plain and given the mode of the piece.

Each level starts from the one below: `P(y|c) = (count(c, y) + a·P_lower(y)) / (count(c) + a)`, from the uniform
distribution up; `a` is chosen on the validation side, level by level (Jelinek-Mercer in MacKay & Peto's form, "A
hierarchical Dirichlet language model", Natural Language Engineering 1(3), 1995).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kelly.data.dataset import Sequences
from kelly.evaluation.metrics import Predicted, loss
from kelly.tasks import Task

Floats = NDArray[np.float64]
Levels = Callable[[str, int, int], list[tuple[str | int, ...]]]

WEIGHTS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)


def bigram(task: Task, train: Sequences, validation: Sequences, test: Sequences) -> Floats:
    """Chords given the one before."""
    return interpolated(task, train, validation, test, lambda mode, last, second: [(), (last,)])


def trigram(task: Task, train: Sequences, validation: Sequences, test: Sequences) -> Floats:
    """Chords given the two before."""
    return interpolated(task, train, validation, test, lambda mode, last, second: [(), (last,), (last, second)])


def trigram_given_mode(task: Task, train: Sequences, validation: Sequences, test: Sequences) -> Floats:
    """Chords given the two before and the mode of the whole piece, which a listener does not know at its start."""
    return interpolated(
        task,
        train,
        validation,
        test,
        lambda mode, last, second: [(), (mode,), (mode, last), (mode, last, second)],
    )


def interpolated(task: Task, train: Sequences, validation: Sequences, test: Sequences, levels: Levels) -> Floats:
    """Chances float64[n, 1, 64] of each next chord on the test side; `levels` lists contexts from short to long."""
    contexts = [[levels(*known) for known in zip(*history(side), strict=True)] for side in (train, validation, test)]
    chances = [np.full((len(side), 1, task.num_outputs), 1 / task.num_outputs) for side in (train, validation, test)]
    for level in range(len(contexts[0][0])):
        counts: dict[tuple[str | int, ...], Floats] = {}
        for context, target in zip(contexts[0], train.targets[:, 0], strict=True):
            counts.setdefault(context[level], np.zeros(task.num_outputs))[target] += 1
        nothing = np.zeros(task.num_outputs)
        found = [np.array([counts.get(c[level], nothing) for c in side])[:, None] for side in contexts]
        costs = [loss(task.loss, Predicted(validation, smoothed(found[1], chances[1], w))) for w in WEIGHTS]
        best = WEIGHTS[int(np.argmin(costs))]
        chances = [smoothed(count, lower, best) for count, lower in zip(found, chances, strict=True)]
    return chances[2]


def smoothed(counts: Floats, lower: Floats, weight: float) -> Floats:
    """Chances from counts[n, 1, 64] that add up with `weight` times those of the level below."""
    return np.asarray((counts + weight * lower) / (counts.sum(axis=-1, keepdims=True) + weight))


def history(side: Sequences) -> tuple[list[str], list[int], list[int]]:
    """Mode, last chord and the one before of each row, −1 where there is none; read from the harmony context.

    In the context the last chord is 1, and no other can reach it; of the others the one before, at least 0.5, exceeds
    all older ones, which add up to less (repeats are collapsed: it is never the last chord itself).
    """
    context = np.array(side.inputs[:, 0, 64:])
    rows = np.arange(len(context))
    last = np.where(context.max(axis=1) > 0, context.argmax(axis=1), -1)
    context[rows, last] = 0
    second = np.where(context.max(axis=1) > 0, context.argmax(axis=1), -1)
    mode = ["" for _ in rows] if side.category is None else side.category.tolist()
    return mode, last.tolist(), second.tolist()


NGRAMS: dict[str, Callable[[Task, Sequences, Sequences, Sequences], Floats]] = {
    function.__name__: function for function in (bigram, trigram, trigram_given_mode)
}
