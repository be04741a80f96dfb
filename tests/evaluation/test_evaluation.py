"""Scores and references, on numbers whose answer is obvious."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from kelly.data.dataset import Sequences
from kelly.evaluation import baselines, metrics
from kelly.evaluation.evaluate import core_scores, evaluate, skill
from kelly.evaluation.metrics import Predicted
from kelly.features.emotion import embed, usual_coordinates
from kelly.tasks import TASKS
from kelly.training.objectives import LOSSES, METRICS

RNG = np.random.default_rng(0)


def sequences(targets: Any, inputs: Any = None, **more: Any) -> Sequences:
    targets = np.asarray(targets)
    if inputs is None:
        inputs = np.zeros((*targets.shape[:2], 4), dtype=np.float32)
    return Sequences(inputs, targets, np.array([str(i) for i in range(len(targets))]), **more)


def test_skill_is_one_at_the_floor_and_zero_at_the_baseline() -> None:
    assert skill(0.2, 1.0, 0.2) == 1
    assert skill(1.0, 1.0, 0.2) == 0
    assert skill(0.8, 1.0, None) == pytest.approx(0.2)


def test_losses_are_those_that_training_minimises() -> None:
    logits = RNG.standard_normal((3, 2, 64))
    mask = RNG.random((3, 2, 64)) < 0.7
    cases = {
        "mse": (logits, RNG.standard_normal((3, 2, 64)), mask),
        "bce": (1 / (1 + np.exp(-logits)), (RNG.random((3, 2, 64)) < 0.3) * 1.0, mask),
        "cross_entropy": (
            np.exp(logits) / np.exp(logits).sum(-1, keepdims=True),
            RNG.integers(0, 64, (3, 2)),
            mask[..., 0],
        ),
    }
    for kind, (outputs, targets, there) in cases.items():
        total, number = LOSSES[kind].sums(torch.tensor(logits), torch.tensor(targets), torch.tensor(there))
        ours = metrics.loss(kind, Predicted(sequences(targets, mask=there), outputs))
        assert ours == pytest.approx(float(total / number), rel=1e-9), kind


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_a_metric_is_that_of_the_whole_set_however_it_is_cut(batch: int) -> None:
    for name, metric in METRICS.items():
        targets = RNG.integers(0, 64, (7, 2)) if name == "top_1_accuracy" else (RNG.random((7, 2, 64)) < 0.4) * 1.0
        x, y = torch.tensor(RNG.standard_normal((7, 2, 64))), torch.tensor(targets)
        parts = [metric.sums(a, b, None) for a, b in DataLoader(TensorDataset(x, y), batch)]
        assert metric.value(sum(parts, torch.zeros(()))) == pytest.approx(metric.value(metric.sums(x, y, None))), name


def test_the_historys_r2_and_top_10_are_those_of_the_scores() -> None:
    outputs, targets = RNG.random((20, 3, 32)), RNG.random((20, 3, 32))
    mask = RNG.random(targets.shape) < 0.6
    metric = METRICS["r2"]
    ours = metric.value(metric.sums(torch.tensor(outputs), torch.tensor(targets), torch.tensor(mask)))
    predicted = Predicted(sequences(targets, mask=mask), outputs)
    mean = np.where(mask, targets, 0).sum(axis=(0, 1)) / mask.sum(axis=(0, 1))
    constant = Predicted(predicted.sequences, np.broadcast_to(mean, outputs.shape))
    assert ours == pytest.approx(metrics.groove(predicted, predicted, constant)["r2"])
    notes = (RNG.random((20, 3, 128)) < 0.2) * 1.0
    chances = RNG.random((20, 3, 128))
    metric = METRICS["top_10_accuracy"]
    ours = metric.value(metric.sums(torch.tensor(chances), torch.tensor(notes), None))
    predicted = Predicted(sequences(notes), chances)
    assert ours == pytest.approx(metrics.melody(predicted, predicted, predicted)["top_10_accuracy"])


def test_a_perfect_emotion_scores_perfectly() -> None:
    targets = embed(usual_coordinates(RNG.uniform(-1, 1, (30, 4)), RNG.uniform(-1, 1, (30, 4))))
    predicted = Predicted(sequences(targets), targets.copy())
    scores = metrics.emotion(predicted, predicted, predicted)
    assert scores["cosine_similarity"] == pytest.approx(1)
    assert scores["mean_correlation"] == pytest.approx(1)
    assert max(scores["mae"], scores["valence_mae"], scores["arousal_mae"]) < 1e-9


def test_melody_scores_count_notes() -> None:
    targets, outputs = np.zeros((1, 1, 128)), np.zeros((1, 1, 128))
    targets[0, 0, [60, 64, 67, 72]] = 1
    outputs[0, 0, [60, 64, 67, 61]] = [0.9, 0.8, 0.7, 0.6]
    predicted = Predicted(sequences(targets), outputs)
    scores = metrics.melody(predicted, predicted, predicted)
    assert scores["top_4_accuracy"] == 0.75
    assert scores["precision"] == 1  # the best threshold leaves the wrong note out
    assert scores["recall"] == 0.75
    assert {type(value) for value in scores.values()} == {float}  # JSON knows no numpy.float64


def test_harmony_scores_count_chords() -> None:
    outputs = np.full((4, 1, 64), 0.1 / 63)
    outputs[[0, 1, 2, 3], 0, [5, 5, 7, 7]] = 0.9
    predicted = Predicted(sequences(np.array([[5], [5], [7], [9]])), outputs)
    scores = metrics.harmony(predicted, predicted, predicted)
    assert scores["top_1_accuracy"] == 0.75
    assert scores["f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert scores["perplexity"] == pytest.approx(math.exp(metrics.loss("cross_entropy", predicted)))


def test_groove_errors_are_in_milliseconds_at_120_bpm() -> None:
    targets = np.zeros((2, 1, 32))
    targets[1] = 0.5
    predicted = Predicted(sequences(targets), targets + 0.2)
    scores = metrics.groove(predicted, predicted, Predicted(sequences(targets), np.full(targets.shape, 0.25)))
    assert scores["mae_timing_ms"] == pytest.approx(0.2 * 62.5)


def test_masked_targets_do_not_count() -> None:
    targets, mask = RNG.random((5, 2, 32)), RNG.random((5, 2, 32)) < 0.5
    outputs = np.where(mask, targets, 7.0)
    predicted = Predicted(sequences(targets, mask=mask), outputs)
    assert metrics.loss("mse", predicted) == 0
    constant = Predicted(predicted.sequences, np.full(targets.shape, 0.5))
    assert metrics.groove(predicted, predicted, constant)["r2"] == 1


def rows(n: int, task: Any, law: Any) -> Sequences:
    inputs = RNG.uniform(-1, 1, (n, 1, task.num_inputs)).astype(np.float32)
    return sequences(law(inputs), inputs)


def test_ridge_finds_a_linear_law_and_a_constant_does_not() -> None:
    task = TASKS["groovepredictor"]
    weights = RNG.standard_normal((64, 32)) / 16
    train, validation, test = (rows(n, task, lambda x: x @ weights + 0.25) for n in (400, 100, 100))
    linear = Predicted(test, baselines.ridge(task, train, validation, test))
    constant = Predicted(test, baselines.constant(task, train, validation, test))
    assert metrics.loss("mse", linear) < 1e-3 * metrics.loss("mse", constant)


def test_ridge_sees_earlier_frames_of_the_same_sequence_only() -> None:
    inputs = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    design = {t: x for _, t, x in baselines.with_earlier_frames(inputs)}
    np.testing.assert_array_equal(design[0], [[1, 0, 1], [1, 6, 7]])
    np.testing.assert_array_equal(design[2][0], [1, 4, 5, 2, 3, 0, 1])


def test_ridge_sees_no_more_than_its_memory_and_all_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "MEMORY", 2)
    monkeypatch.setattr(baselines, "BLOCK_ROWS", 2)
    inputs = np.arange(12, dtype=np.float32).reshape(3, 4, 1)
    found = list(baselines.with_earlier_frames(inputs))
    assert [(rows.start, rows.stop, t) for rows, t, _ in found] == [
        (s, e, t) for s, e in ((0, 2), (2, 3)) for t in range(4)
    ]
    np.testing.assert_array_equal(found[3][2], [[1, 3, 2], [1, 7, 6]])


def test_ridge_leaves_masked_targets_out() -> None:
    task = TASKS["groovepredictor"]
    weights = RNG.standard_normal((64, 32)) / 16
    train, validation, test = (rows(n, task, lambda x: x @ weights) for n in (600, 100, 100))
    mask = RNG.random(train.targets.shape) < 0.7
    spoilt = Sequences(train.inputs, np.where(mask, train.targets, 50.0), train.groups, mask)
    predicted = Predicted(test, baselines.ridge(task, spoilt, validation, test))
    assert metrics.loss("mse", predicted) < 0.01 * test.targets.var()


def test_an_output_that_training_never_saw_is_predicted_as_zero() -> None:
    task, rng = TASKS["groovepredictor"], np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (60, 1, 64)).astype(np.float32)
    mask = np.ones((60, 1, 32), dtype=bool)
    mask[:, :, 5] = False
    sides = Sequences(inputs, inputs[..., :32].copy(), np.array([str(i) for i in range(60)]), mask)
    outputs = baselines.ridge(task, sides, sides, sides)
    assert (outputs[..., 5] == 0).all()
    assert np.isfinite(outputs).all()
    assert np.abs(outputs[..., 4] - inputs[..., 4]).max() < 0.1


@pytest.mark.parametrize("name", ["melodytransformer", "harmonypredictor"])
def test_references_give_chances(name: str) -> None:
    task = TASKS[name]

    def law(x: Any) -> Any:
        notes = (x[..., :1] + RNG.uniform(-1, 1, (*x.shape[:2], task.num_outputs)) > 1).astype(np.float32)
        return notes if task.loss == "bce" else notes.argmax(axis=-1)

    train, validation, test = (rows(n, task, law) for n in (300, 100, 100))
    for reference in (baselines.constant, baselines.ridge):
        outputs = reference(task, train, validation, test)
        assert outputs.min() > 0
        assert outputs.max() < 1
        if name == "harmonypredictor":
            np.testing.assert_allclose(outputs.sum(axis=-1), 1)


def test_persistence_is_right_where_what_was_heard_goes_on() -> None:
    task = TASKS["dynamicsengine"]
    targets = RNG.random((50, 1, 16))
    same = sequences(targets, previous=targets.copy())
    assert metrics.loss("mse", Predicted(same, baselines.persistence(task, same, same, same))) < 1e-20
    other = sequences(targets, previous=RNG.random((50, 1, 16)))
    outputs = baselines.persistence(task, other, other, other)
    assert metrics.loss("mse", Predicted(other, outputs)) > 0.8 * targets.var()


def test_persistence_is_the_table_of_chances_given_the_bar_before() -> None:
    task = TASKS["melodytransformer"]
    heard = (RNG.random((4_000, 1, 128)) < 0.3) * 1.0
    chances = np.where(heard > 0, 0.6, 0.2)
    chances[..., 64:] = 0.0  # pitches that never sound must cost next to nothing
    side = sequences((RNG.random(heard.shape) < chances) * 1.0, previous=heard)
    outputs = baselines.persistence(task, side, side, side)
    assert np.abs(outputs - chances).max() < 0.05
    assert outputs[..., 64:].max() == min(baselines.SMALLEST)


def test_persistence_draws_no_line_through_equal_values_or_through_two() -> None:
    task = TASKS["dynamicsengine"]
    targets = RNG.random((50, 1, 16)).astype(np.float32)
    heard = np.full_like(targets, 0.1)
    heard[2:, :, 8:] = np.nan
    heard[:2, :, 8:] = [[[0.1]], [[0.2]]]
    test = sequences(targets, previous=np.full_like(targets, 0.9))
    outputs = baselines.persistence(task, sequences(targets, previous=heard), test, test)
    np.testing.assert_allclose(outputs, np.broadcast_to(targets.mean(axis=0), targets.shape), rtol=1e-5)


def test_large_data_is_gone_through_in_blocks_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    targets, mask = RNG.random((50, 3, 16)), RNG.random((50, 3, 16)) < 0.7
    side = sequences(targets, mask=mask, previous=targets + 0.3 * RNG.standard_normal(targets.shape))
    task, outputs = TASKS["dynamicsengine"], RNG.random((50, 3, 16))
    whole = metrics.cost("mse", Predicted(side, outputs)), baselines.persistence(task, side, side, side)
    assert whole[0].mean == pytest.approx(np.nanmean(metrics.losses("mse", Predicted(side, outputs))), rel=1e-12)
    monkeypatch.setattr(metrics, "BLOCK_SIZE", 7 * 3 * 16)
    parts = metrics.cost("mse", Predicted(side, outputs)), baselines.persistence(task, side, side, side)
    assert parts[0].mean == pytest.approx(whole[0].mean, rel=1e-12)
    np.testing.assert_array_equal(parts[0].sums, whole[0].sums)
    assert parts[0].numbers.tolist() == mask.sum(axis=(1, 2)).tolist()
    np.testing.assert_allclose(parts[1], whole[1], rtol=1e-9)


def test_a_table_knows_the_category() -> None:
    task = TASKS["dynamicsengine"]
    labels = np.array(["major", "minor"] * 25)
    targets = np.where(labels == "major", 0.8, 0.2)[:, None, None] * np.ones((50, 1, 16))
    side = sequences(targets, category=labels)
    np.testing.assert_allclose(baselines.category(task, side, side, side), targets)


def test_evaluation_puts_every_reference_beside_the_loss() -> None:
    task = TASKS["dynamicsengine"]
    law = RNG.standard_normal((32, 16)) / 8
    parts = {}
    for side, n in (("train", 200), ("validation", 60), ("test", 60)):
        inputs = RNG.uniform(-1, 1, (n, 1, 32)).astype(np.float32)
        clean = np.tanh(inputs @ law) / 2 + 0.5
        noisy = clean + 0.05 * RNG.standard_normal(clean.shape)
        parts[side] = sequences(noisy, inputs, oracle=clean, previous=RNG.random(clean.shape))
    scores = evaluate(task, lambda x: np.tanh(x @ law) / 2 + 0.5, parts)
    assert scores["loss"] == pytest.approx(scores["floor_loss"], rel=1e-6)
    assert scores["skill"] == pytest.approx(1, abs=1e-6)
    assert scores["floor_loss"] < scores["ridge_loss"] < scores["baseline_loss"]
    assert scores["persistence_skill"] < 0.05
    assert scores["persistence_gap_low"] > 0
    assert scores["skill_low"] <= scores["skill"] <= scores["skill_high"]
    assert scores["ridge_gap"] == scores["ridge_loss"] - scores["loss"]
    assert scores["num_test_pieces"] == 60
    assert scores["r2"] > 0.9
    assert len([name for name in scores if name.removeprefix("r2_").isdigit()]) == 16
    assert core_scores(task, lambda x: np.tanh(x @ law) / 2 + 0.5, parts)["loss"] == scores["loss"]
    assert all(isinstance(value, float | int) and math.isfinite(value) for value in scores.values())
