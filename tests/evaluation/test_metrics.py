"""Losses and metrics, on numbers whose answer is obvious."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from support.small_sequences import sequences
from torch.utils.data import DataLoader, TensorDataset

from kelly.evaluation import metrics
from kelly.evaluation.metrics import Predictions, r2
from kelly.features.emotion import embed, usual_coordinates
from kelly.training.objectives import LOSSES, METRICS

RNG = np.random.default_rng(0)


def test_losses_are_those_that_training_minimizes() -> None:
    logits = RNG.standard_normal((3, 2, 64))
    mask = RNG.random((3, 2, 64)) < 0.7
    softmax = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    cases = {
        "mse": (logits, RNG.standard_normal((3, 2, 64)), mask),
        "bce": (1 / (1 + np.exp(-logits)), (RNG.random((3, 2, 64)) < 0.3) * 1.0, mask),
        "cross_entropy": (softmax, RNG.integers(0, 64, (3, 2)), mask[..., 0]),
    }
    for kind, (outputs, targets, valid) in cases.items():
        total, count = LOSSES[kind].sums(torch.tensor(logits), torch.tensor(targets), torch.tensor(valid))
        loss = metrics.mean_loss(kind, Predictions(sequences(targets, mask=valid), outputs))
        assert loss == pytest.approx(float(total / count), rel=1e-9), kind


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_a_training_metric_does_not_depend_on_the_batch_size(batch: int) -> None:
    for name, metric in METRICS.items():
        targets = RNG.integers(0, 64, (7, 2)) if name == "top_1_accuracy" else (RNG.random((7, 2, 64)) < 0.4) * 1.0
        x, y = torch.tensor(RNG.standard_normal((7, 2, 64))), torch.tensor(targets)
        sums = [metric.sums(a, b, None) for a, b in DataLoader(TensorDataset(x, y), batch)]
        expected = metric.compute(metric.sums(x, y, None))
        assert metric.compute(sum(sums, torch.zeros(()))) == pytest.approx(expected), name


@pytest.mark.parametrize("name", METRICS)
def test_the_metrics_of_a_history_are_the_same_in_numpy(name: str) -> None:
    outputs, mask = RNG.random((20, 3, 64)), RNG.random((20, 3, 64)) < 0.6
    targets: Any = RNG.random((20, 3, 64)) if name != "top_10_accuracy" else (RNG.random((20, 3, 64)) < 0.2) * 1.0
    if name == "top_1_accuracy":
        targets, mask = RNG.integers(0, 64, (20, 3)), mask[..., 0]
    if name == "cosine_similarity":
        mask = np.broadcast_to(mask[..., :1], mask.shape)
    sums = METRICS[name].sums(*(torch.tensor(array) for array in (outputs, targets, mask)))
    predictions = Predictions(sequences(targets, mask=mask), outputs)
    valid = np.where(mask, targets, 0).sum(axis=(0, 1)) / mask.sum(axis=(0, 1))
    mean = Predictions(predictions.sequences, np.broadcast_to(valid, outputs.shape))
    assert metrics.HISTORY_METRICS[name](predictions, mean) == pytest.approx(METRICS[name].compute(sums), rel=1e-6)


def test_a_perfect_emotion_has_perfect_scores() -> None:
    targets = embed(usual_coordinates(RNG.uniform(-1, 1, (30, 4)), RNG.uniform(-1, 1, (30, 4))))
    predictions = Predictions(sequences(targets), targets.copy())
    scores = metrics.emotion(predictions, predictions, predictions)
    assert scores["cosine_similarity"] == pytest.approx(1)
    assert scores["mean_correlation"] == pytest.approx(1)
    assert max(scores["mae"], scores["valence_mae"], scores["arousal_mae"]) < 1e-9


def test_melody_scores_count_notes() -> None:
    targets, outputs = np.zeros((2, 1, 1, 128))
    targets[0, 0, [60, 64, 67, 72]] = 1
    outputs[0, 0, [60, 64, 67, 61]] = [0.9, 0.8, 0.7, 0.6]
    predictions = Predictions(sequences(targets), outputs)
    scores = metrics.melody(predictions, predictions, predictions)
    # The best threshold leaves the wrong note out.
    assert (scores["top_4_accuracy"], scores["precision"], scores["recall"]) == (0.75, 1, 0.75)
    assert {type(value) for value in scores.values()} == {float}  # numpy.float64 is not JSON


def test_harmony_scores_count_chords() -> None:
    outputs = np.full((4, 1, 64), 0.1 / 63)
    outputs[[0, 1, 2, 3], 0, [5, 5, 7, 7]] = 0.9
    outputs[3, 0, 9] = 0.05
    predictions = Predictions(sequences(np.array([[5], [5], [7], [9]])), outputs)
    scores = metrics.harmony(predictions, predictions, predictions)
    assert scores["top_1_accuracy"] == 0.75
    assert scores["top_10_accuracy"] == 1
    assert scores["f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert scores["perplexity"] == pytest.approx(math.exp(metrics.mean_loss("cross_entropy", predictions)))
    assert {type(value) for value in scores.values()} == {float}


def test_groove_errors_are_in_milliseconds_at_120_bpm_and_masked_targets_do_not_count() -> None:
    targets, mask = RNG.random((5, 2, 32)), RNG.random((5, 2, 32)) < 0.5
    baseline = Predictions(sequences(targets, mask=mask), np.full(targets.shape, 0.5))
    exact, late = (Predictions(baseline.sequences, np.where(mask, targets + error, 7.0)) for error in (0.0, 0.2))
    assert metrics.mean_loss("mse", exact) == 0
    assert metrics.groove(exact, exact, baseline)["r2"] == 1
    assert metrics.groove(late, late, baseline)["mae_timing_ms"] == pytest.approx(0.2 * 62.5)


def test_an_output_without_targets_has_no_r2() -> None:
    targets, mask = RNG.random((6, 1, 16)), np.ones((6, 1, 16), dtype=bool)
    mask[..., 3] = False
    predictions = Predictions(sequences(targets, mask=mask), targets.copy())
    scores = metrics.dynamics(predictions, predictions, Predictions(predictions.sequences, np.full(targets.shape, 0.5)))
    assert "r2_3" not in scores
    assert scores["mean_r2"] == scores["r2"] == scores["r2_4"] == 1


def test_r2_is_0_for_the_baseline_and_1_for_the_truth() -> None:
    true = np.array([0.0, 1.0, 2.0])
    assert r2(true, true, 1.0) == 1.0
    assert r2(true, np.full(3, 1.0), 1.0) == 0.0
    assert np.isnan(r2(np.ones(3), np.ones(3), 1.0))
