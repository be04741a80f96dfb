"""Baselines for chord progressions: smoothed n-grams of chords, with and without the mode of the piece.

Each level interpolates with the one below: `P(y|c) = (count(c, y) + a·P_lower(y)) / (count(c) + a)`, from the uniform
distribution up; `a` is chosen on the validation split, level by level (Jelinek-Mercer in MacKay & Peto's form, "A
hierarchical Dirichlet language model", Natural Language Engineering 1(3), 1995).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly.data.dataset import Sequences
from kelly.evaluation.metrics import Floats, Predictions, mean_loss
from kelly.tasks import Task

Context = tuple[str | int, ...]

WEIGHTS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
# The contexts of each n-gram from short to long, by the mode (of the whole piece, unknown to a listener at its start),
# the last chord and the second to last.
CONTEXTS: dict[str, Callable[[str, int, int], list[Context]]] = {
    "bigram": lambda _mode, last, _second: [(), (last,)],
    "trigram": lambda _mode, last, second: [(), (last,), (last, second)],
    "trigram_given_mode": lambda mode, last, second: [(), (mode,), (mode, last), (mode, last, second)],
}


def interpolated(name: str, task: Task, train: Sequences, validation: Sequences, test: Sequences) -> Floats:
    """Probabilities float64[n, 1, 64] of each next chord of the test split by the n-gram `name`."""
    splits = train, validation, test
    contexts = [[CONTEXTS[name](*known) for known in zip(*history(split), strict=True)] for split in splits]
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


def last_chords(context: NDArray[Any]) -> NDArray[np.intp]:
    """The last chord of each row of a harmony context [n, 64], −1 where there is none.

    In the context the last chord is 1, and no other reaches it; of the others the one before, at least 0.5, exceeds all
    older ones, which sum to less (repeats are collapsed: it is never the last chord itself).
    """
    return np.where(context.max(axis=1) > 0, context.argmax(axis=1), -1)


def history(split: Sequences) -> tuple[list[str], list[int], list[int]]:
    """Mode, last chord and the one before of each row, −1 where there is none."""
    context = np.array(split.inputs[:, 0, 64:])
    last = last_chords(context)
    context[np.arange(len(context)), last] = 0
    mode = [""] * len(context) if split.category is None else split.category.tolist()
    return mode, last.tolist(), last_chords(context).tolist()


NGRAMS = {name: partial(interpolated, name) for name in CONTEXTS}
