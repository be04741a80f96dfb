"""Losses and metrics of predictions; evaluation and plots share them.

outputs: float64[n, num_frames, out], as the plugin gets them. Masked targets never count. A metric is computed over a
whole split, and R² against the mean of the training targets (`baseline`).
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
MIN_PROBABILITY = 1e-12
HALF_SIXTEENTH_MS = 62.5  # at 120 bpm: the unit of the groove's timing
BLOCK_SIZE = 2**16  # numbers converted to float64 at a time
ALL, TIMING, ACCENTS = slice(None), slice(0, 16), slice(16, 32)


@dataclass(frozen=True)
class Predictions:
    """The outputs of a network for one split of the data."""

    sequences: Sequences
    outputs: Floats

    @property
    def valid(self) -> NDArray[np.bool_]:
        """False where a target is missing; in the shape of the targets."""
        mask = self.sequences.mask
        return np.ones(self.sequences.targets.shape, dtype=bool) if mask is None else np.asarray(mask)

    @property
    def frames(self) -> tuple[Floats, Floats]:
        """Targets and outputs, each float64[frames, out], of the frames that have any target."""
        valid = self.valid.any(axis=-1)
        return np.asarray(self.sequences.targets[valid], dtype=np.float64), self.outputs[valid]

    def values(self, outputs: int | slice = ALL) -> tuple[Floats, Floats]:
        """Valid targets and their predictions, each float64[values], of some of the outputs."""
        valid = self.valid[..., outputs]
        targets = np.asarray(self.sequences.targets[..., outputs][valid], dtype=np.float64)
        return targets, self.outputs[..., outputs][valid]


def losses(kind: str, predictions: Predictions) -> Floats:
    """The loss of every target, in the shape of the targets; nan where one is missing. kind: see Task.loss."""
    targets, outputs = predictions.sequences.targets, predictions.outputs
    if kind == "mse":
        loss = (outputs - targets) ** 2
    else:
        if kind == "bce":
            probability = np.where(targets > 0.5, outputs, 1 - outputs)
        else:
            classes = np.asarray(targets, dtype=np.int64)[..., None]
            probability = np.take_along_axis(outputs, classes, axis=-1)[..., 0]
        loss = -np.log(np.maximum(probability, MIN_PROBABILITY))
    return np.where(predictions.valid, loss, np.nan)


@dataclass(frozen=True)
class LossSums:
    """The loss of predictions: the mean over all valid targets, and the sum of each sequence.

    sums: float64[n]; counts: int64[n], valid targets of each sequence
    """

    mean: float
    sums: Floats
    counts: NDArray[np.int64]


def row_blocks(sequences: Sequences, width: int) -> Iterator[slice]:
    """Slices of at least one sequence and at most BLOCK_SIZE numbers, `width` per frame."""
    step = max(1, BLOCK_SIZE // (sequences.inputs.shape[1] * width))
    for start in range(0, len(sequences), step):
        yield slice(start, start + step)


def loss_sums(kind: str, predictions: Predictions) -> LossSums:
    """The loss of predictions, computed in blocks to save memory."""
    total, sums, counts = 0.0, [], []
    for rows in row_blocks(predictions.sequences, predictions.outputs.shape[-1]):
        outputs = np.asarray(predictions.outputs[rows], dtype=np.float64)
        block = Predictions(predictions.sequences.take(rows), outputs)
        loss = np.where(block.valid, losses(kind, block), 0.0)
        total += float(loss.sum())
        axes = tuple(range(1, loss.ndim))
        sums.append(loss.sum(axis=axes))
        counts.append(block.valid.sum(axis=axes))
    count = np.concatenate(counts)
    return LossSums(float(total / count.sum()), np.concatenate(sums), count)


def mean_loss(kind: str, predictions: Predictions) -> float:
    """The mean loss of all valid targets."""
    return loss_sums(kind, predictions).mean


def mae(targets: Floats, outputs: Floats) -> float:
    """Mean absolute error."""
    return float(np.abs(targets - outputs).mean())


def r2(targets: Floats, outputs: Floats, baseline: Floats | float) -> float:
    """1 − squared error / squared error of `baseline`; nan where the latter is 0.

    Out of sample no predictor knows the mean of the test targets, so the baseline is the training mean (Campbell &
    Thompson, "Predicting excess stock returns out of sample", Review of Financial Studies 21(4), 2008, eq. 1).
    """
    total = float(((baseline - targets) ** 2).sum())
    return 1 - float(((outputs - targets) ** 2).sum()) / total if total > 0 else float("nan")


def cosine_similarity(targets: Floats, outputs: Floats) -> float:
    """Mean cosine similarity of vectors float64[frames, out]."""
    norms = np.linalg.norm(targets, axis=1) * np.linalg.norm(outputs, axis=1)
    return float(((targets * outputs).sum(axis=1) / np.maximum(norms, 1e-8)).mean())


def top_k_precision(targets: Floats, outputs: Floats, k: int) -> float:
    """Share of the k highest outputs of each frame that are on in the target, float64[frames, out] of 0 and 1."""
    ranked = np.argsort(-outputs, axis=1, kind="stable")[:, :k]
    return float(np.take_along_axis(targets, ranked, axis=1).mean())


def top_1_accuracy(predictions: Predictions) -> float:
    """Share of the frames whose most probable class is the true one."""
    return float((predictions.outputs.argmax(axis=-1) == predictions.sequences.targets)[predictions.valid].mean())


def emotion(test: Predictions, _validation: Predictions, _baseline: Predictions) -> Scores:
    """Embeddings: angle, error and correlation; valence and arousal after decoding, in -1..1."""
    targets, outputs = test.frames
    t, o = targets - targets.mean(axis=0), outputs - outputs.mean(axis=0)
    correlation = (t * o).sum(axis=0) / np.sqrt((t**2).sum(axis=0) * (o**2).sum(axis=0))
    error = np.abs(decode(outputs) - decode(targets)).mean(axis=0)
    return {
        "cosine_similarity": cosine_similarity(targets, outputs),
        "mae": mae(targets, outputs),
        "mean_correlation": float(correlation.mean()),
        "valence_mae": float(error[0]),
        "arousal_mae": float(error[1]),
    }


def melody(test: Predictions, validation: Predictions, _baseline: Predictions) -> Scores:
    """Notes: top-k precision; precision, recall and F1 at the threshold with the highest F1 on the validation split."""
    threshold = max(THRESHOLDS, key=lambda t: precision_recall_f1(validation, t)[2])
    precision, recall, f1 = precision_recall_f1(test, threshold)
    return {
        "top_4_accuracy": top_k_precision(*test.frames, 4),
        "top_10_accuracy": top_k_precision(*test.frames, 10),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "threshold": float(threshold),
    }


def precision_recall_f1(predictions: Predictions, threshold: float) -> tuple[float, float, float]:
    """Over all notes of all frames; a note is predicted where its probability reaches `threshold`.

    scikit-learn's function takes 40 times as long, and this runs once per threshold.
    """
    targets, outputs = predictions.frames
    positive, predicted = targets > 0.5, outputs >= threshold
    hits = int((positive & predicted).sum())
    precision, recall = hits / max(1, int(predicted.sum())), hits / max(1, int(positive.sum()))
    return precision, recall, 2 * precision * recall / max(1e-12, precision + recall)


def harmony(test: Predictions, _validation: Predictions, _baseline: Predictions) -> Scores:
    """Chords: perplexity, top-k accuracy, and F1 averaged over the chords that occur."""
    # Imported here: it takes longer than all other imports of an evaluation.
    from sklearn.metrics import f1_score, top_k_accuracy_score

    targets, outputs = test.sequences.targets.ravel(), test.outputs.reshape(-1, test.outputs.shape[-1])
    labels, occurring = np.arange(outputs.shape[1]), np.unique(targets)
    return {
        "perplexity": float(np.exp(mean_loss("cross_entropy", test))),
        "top_1_accuracy": top_1_accuracy(test),
        "top_10_accuracy": float(top_k_accuracy_score(targets, outputs, k=10, labels=labels)),
        "f1": float(f1_score(targets, outputs.argmax(axis=1), labels=occurring, average="macro")),
    }


def dynamics(test: Predictions, _validation: Predictions, baseline: Predictions) -> Scores:
    """Expression: mean absolute error, R² of all sixteen parameters, the mean of their R², and each."""
    each = {f"r2_{i}": r2(*test.values(i), baseline.values(i)[1]) for i in range(test.outputs.shape[-1])}
    each = {name: value for name, value in each.items() if np.isfinite(value)}
    mean = float(np.mean(list(each.values()))) if each else float("nan")
    return {"mae": mae(*test.values()), "r2": r2(*test.values(), baseline.values()[1]), "mean_r2": mean} | each


def groove(test: Predictions, _validation: Predictions, baseline: Predictions) -> Scores:
    """Groove: R² of all outputs, timing and accents; mean absolute error of timing at 120 bpm and of accents."""
    return {
        "r2": r2(*test.values(), baseline.values()[1]),
        "r2_timing": r2(*test.values(TIMING), baseline.values(TIMING)[1]),
        "r2_accents": r2(*test.values(ACCENTS), baseline.values(ACCENTS)[1]),
        "mae": mae(*test.values()),
        "mae_timing_ms": mae(*test.values(TIMING)) * HALF_SIXTEENTH_MS,
        "mae_accents": mae(*test.values(ACCENTS)),
    }


# Task → (test, validation, baseline) → scores. baseline: the training mean as a prediction of the test split.
METRICS: Mapping[str, Callable[[Predictions, Predictions, Predictions], Scores]] = {
    "emotionrecognizer": emotion,
    "melodytransformer": melody,
    "harmonypredictor": harmony,
    "dynamicsengine": dynamics,
    "groovepredictor": groove,
}

# The metrics of a training history (kelly.training.objectives); R² is against the mean of the same split's targets.
HISTORY_METRICS: Mapping[str, Callable[[Predictions, Predictions], float]] = {
    "cosine_similarity": lambda predictions, _: cosine_similarity(*predictions.frames),
    "top_10_accuracy": lambda predictions, _: top_k_precision(*predictions.frames, 10),
    "top_1_accuracy": lambda predictions, _: top_1_accuracy(predictions),
    "r2": lambda predictions, mean: r2(*predictions.values(), mean.values()[1]),
}
