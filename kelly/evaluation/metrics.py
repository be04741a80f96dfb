"""What is measured on predictions: the loss, and for each task the scores that people ask for.

outputs: float64[n, num_frames, out], what the plugin would get; constant: those of the training mean. Sums run over the
whole set, masked targets left out.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kelly.data.dataset import Sequences
from kelly.features.emotion import decode

Floats = NDArray[np.float64]
Scores = dict[str, float]

THRESHOLDS = np.arange(0.02, 0.99, 0.02)
SMALLEST_CHANCE = 1e-12
HALF_SIXTEENTH_MS = 62.5  # at 120 bpm: the unit of the groove's timing
BLOCK_SIZE = 2**16  # numbers that are turned to float64 at a time


@dataclass(frozen=True)
class Predicted:
    """The outputs of a network on one side of the data."""

    sequences: Sequences
    outputs: Floats

    @property
    def there(self) -> NDArray[np.bool_]:
        """Which targets are there, in the shape of the targets."""
        mask = self.sequences.mask
        return np.ones(self.sequences.targets.shape, dtype=bool) if mask is None else np.asarray(mask)

    @property
    def frames(self) -> tuple[Floats, NDArray[np.float64]]:
        """Targets and outputs [frames, out] of the frames of which anything is there."""
        there = self.there.any(axis=-1)
        return np.asarray(self.sequences.targets[there], dtype=np.float64), self.outputs[there]


def losses(kind: str, predicted: Predicted) -> Floats:
    """The loss of every target, in the shape of the targets, nan where one is missing; see Task.loss."""
    targets, outputs = predicted.sequences.targets, predicted.outputs
    if kind == "mse":
        cost = (outputs - targets) ** 2
    elif kind == "bce":
        chance = np.where(targets > 0.5, outputs, 1 - outputs)
        cost = -np.log(np.maximum(chance, SMALLEST_CHANCE))
    else:
        classes = np.asarray(targets, dtype=np.int64)[..., None]
        chance = np.take_along_axis(outputs, classes, axis=-1)[..., 0]
        cost = -np.log(np.maximum(chance, SMALLEST_CHANCE))
    return np.where(predicted.there, cost, np.nan)


@dataclass(frozen=True)
class Cost:
    """The loss of predictions: its mean over all targets that are there, and by sequence.

    sums: float64[n], the loss of each sequence, and numbers: int64[n], of how many targets
    """

    mean: float
    sums: Floats
    numbers: NDArray[np.int64]


def blocks(sequences: Sequences, width: int) -> Iterator[slice]:
    """Slices of sequences with at most BLOCK_SIZE numbers each, `width` a frame; one sequence at least."""
    step = max(1, BLOCK_SIZE // (sequences.inputs.shape[1] * width))
    for start in range(0, len(sequences), step):
        yield slice(start, start + step)


def cost(kind: str, predicted: Predicted) -> Cost:
    """The loss of predictions, as a mean and by sequence; needs little memory beside theirs."""
    total, sums, numbers = 0.0, [], []
    for rows in blocks(predicted.sequences, predicted.outputs.shape[-1]):
        outputs = np.asarray(predicted.outputs[rows], dtype=np.float64)
        block = Predicted(predicted.sequences.take(rows), outputs)
        there = block.there
        each = np.where(there, losses(kind, block), 0.0)
        total += float(each.sum())
        over = tuple(range(1, each.ndim))
        sums.append(each.sum(axis=over))
        numbers.append(there.sum(axis=over))
    number = np.concatenate(numbers)
    return Cost(float(total / number.sum()), np.concatenate(sums), number)


def loss(kind: str, predicted: Predicted) -> float:
    """The mean loss of all targets that are there."""
    return cost(kind, predicted).mean


def emotion(test: Predicted, _validation: Predicted, _constant: Predicted) -> Scores:
    """Embeddings: angle, error and correlation; valence and arousal after decoding, in -1..1."""
    targets, outputs = test.frames
    norms = np.linalg.norm(targets, axis=1) * np.linalg.norm(outputs, axis=1)
    t, o = targets - targets.mean(axis=0), outputs - outputs.mean(axis=0)
    correlation = (t * o).sum(axis=0) / np.sqrt((t**2).sum(axis=0) * (o**2).sum(axis=0))
    error = np.abs(decode(outputs) - decode(targets)).mean(axis=0)
    return {
        "cosine_similarity": float(((targets * outputs).sum(axis=1) / norms).mean()),
        "mae": float(np.abs(targets - outputs).mean()),
        "mean_correlation": float(correlation.mean()),
        "valence_mae": float(error[0]),
        "arousal_mae": float(error[1]),
    }


def melody(test: Predicted, validation: Predicted, _constant: Predicted) -> Scores:
    """Notes: the highest ranked; precision, recall and f1 at the threshold that was best on the validation side."""
    targets, outputs = test.frames
    threshold = max(THRESHOLDS, key=lambda t: precision_recall_f1(validation, t)[2])
    precision, recall, f1 = precision_recall_f1(test, threshold)
    ranked = np.take_along_axis(targets, np.argsort(-outputs, axis=1, kind="stable")[:, :10], axis=1)
    return {
        "top_4_accuracy": float(ranked[:, :4].mean()),
        "top_10_accuracy": float(ranked.mean()),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "threshold": float(threshold),
    }


def precision_recall_f1(predicted: Predicted, threshold: float) -> tuple[float, float, float]:
    """Over all notes of all frames, a note being predicted where its probability reaches `threshold`."""
    targets, outputs = predicted.frames
    sounding, named = targets > 0.5, outputs >= threshold
    hits = int((sounding & named).sum())
    precision, recall = hits / max(1, int(named.sum())), hits / max(1, int(sounding.sum()))
    return precision, recall, 2 * precision * recall / max(1e-12, precision + recall)


def harmony(test: Predicted, _validation: Predicted, _constant: Predicted) -> Scores:
    """Chords: perplexity, the highest ranked, and f1 averaged over all chords that occur."""
    targets, outputs = test.sequences.targets.ravel(), test.outputs.reshape(-1, test.outputs.shape[-1])
    ranked = np.argsort(-outputs, axis=1, kind="stable")
    f1 = []
    for chord in np.unique(targets):
        hits = ((ranked[:, 0] == chord) & (targets == chord)).sum()
        f1.append(2 * hits / ((ranked[:, 0] == chord).sum() + (targets == chord).sum()))
    return {
        "perplexity": float(np.exp(loss("cross_entropy", test))),
        "top_1_accuracy": float((ranked[:, 0] == targets).mean()),
        "top_10_accuracy": float((ranked[:, :10] == targets[:, None]).any(axis=1).mean()),
        "f1": float(np.mean(f1)),
    }


def dynamics(test: Predicted, _validation: Predicted, constant: Predicted) -> Scores:
    """Expression: mean absolute error, R² of all sixteen process_group, their mean, and each."""
    each = 1 - squared_errors(test) / squared_errors(constant)
    scores = {"mae": mae(test, slice(None)), "r2": r2(test, constant, slice(None)), "mean_r2": float(np.nanmean(each))}
    return scores | {f"r2_{i}": float(value) for i, value in enumerate(each) if np.isfinite(value)}


def groove(test: Predicted, _validation: Predicted, constant: Predicted) -> Scores:
    """Groove: R² of all, timing and accents; mean absolute error of timing at 120 bpm and of accents."""
    timing, accents = slice(0, 16), slice(16, 32)
    return {
        "r2": r2(test, constant, slice(None)),
        "r2_timing": r2(test, constant, timing),
        "r2_accents": r2(test, constant, accents),
        "mae": mae(test, slice(None)),
        "mae_timing_ms": mae(test, timing) * HALF_SIXTEENTH_MS,
        "mae_accents": mae(test, accents),
    }


def mae(predicted: Predicted, part: slice) -> float:
    """Mean absolute error of some of the outputs."""
    there = predicted.there[..., part]
    return float(np.abs(predicted.sequences.targets - predicted.outputs)[..., part][there].mean())


def squared_errors(predicted: Predicted) -> Floats:
    """The sum of squared errors of each output."""
    error = np.where(predicted.there, predicted.outputs - predicted.sequences.targets, 0.0)
    return np.asarray((error**2).sum(axis=(0, 1)))


def r2(predicted: Predicted, constant: Predicted, part: slice) -> float:
    """1 − squared error / squared error of the constant, the training mean, over some of the outputs process_group.

    Out of sample the mean of the test side is not known to any predictor (Campbell & Thompson, "Predicting excess stock
    returns out of sample", Review of Financial Studies 21(4), 2008, eq. 1).
    """
    return float(1 - squared_errors(predicted)[part].sum() / squared_errors(constant)[part].sum())


METRICS: Mapping[str, Callable[[Predicted, Predicted, Predicted], Scores]] = {
    "emotionrecognizer": emotion,
    "melodytransformer": melody,
    "harmonypredictor": harmony,
    "dynamicsengine": dynamics,
    "groovepredictor": groove,
}
