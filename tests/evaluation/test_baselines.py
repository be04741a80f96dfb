"""Baselines, on data whose best prediction is known."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.small_sequences import sequences

from kelly.data.dataset import Sequences
from kelly.evaluation import baselines, metrics
from kelly.evaluation.metrics import Predictions, loss_sums, mean_loss
from kelly.tasks import TASKS, Task

RNG = np.random.default_rng(0)
GROOVE, DYNAMICS = TASKS["groovepredictor"], TASKS["dynamicsengine"]


def random_splits(task: Task, sizes: tuple[int, int, int], process: Callable[[Any], Any]) -> list[Sequences]:
    """Train, validation and test of random inputs, whose targets `process` gives."""
    all_inputs = (RNG.uniform(-1, 1, (n, 1, task.num_inputs)).astype(np.float32) for n in sizes)
    return [sequences(process(inputs), inputs) for inputs in all_inputs]


def test_ridge_learns_a_linear_process_and_the_constant_does_not() -> None:
    weights = RNG.standard_normal((64, 32)) / 16
    train, validation, test = random_splits(GROOVE, (400, 100, 100), lambda x: x @ weights + 0.25)
    linear = Predictions(test, baselines.ridge(GROOVE, train, validation, test))
    constant = Predictions(test, baselines.constant(GROOVE, train, validation, test))
    assert mean_loss("mse", linear) < 1e-3 * mean_loss("mse", constant)


def test_ridge_sees_earlier_frames_of_the_same_sequence_within_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "MEMORY", 2)
    monkeypatch.setattr(baselines, "BLOCK_ROWS", 2)
    blocks = list(baselines.design_matrices(np.arange(24, dtype=np.float32).reshape(3, 4, 2)))
    expected = [(start, stop, t) for start, stop in ((0, 2), (2, 3)) for t in range(4)]
    assert [(rows.start, rows.stop, t) for rows, t, _ in blocks] == expected
    np.testing.assert_array_equal(blocks[0][2], [[1, 0, 1], [1, 8, 9]])
    np.testing.assert_array_equal(blocks[3][2], [[1, 6, 7, 4, 5], [1, 14, 15, 12, 13]])


def test_ridge_ignores_masked_targets_and_predicts_zero_where_all_are_masked() -> None:
    weights = RNG.standard_normal((64, 32)) / 16
    train, validation, test = random_splits(GROOVE, (600, 100, 100), lambda x: x @ weights)
    mask = RNG.random(train.targets.shape) < 0.7
    mask[..., 5] = False
    masked = sequences(np.where(mask, train.targets, 50.0), train.inputs, mask=mask)
    outputs = baselines.ridge(GROOVE, masked, validation, test)
    assert (outputs[..., 5] == 0).all()
    assert (np.delete(outputs - test.targets, 5, axis=-1) ** 2).mean() < 0.01 * test.targets.var()


@pytest.mark.parametrize("name", ["melodytransformer", "harmonypredictor"])
def test_baselines_predict_probabilities(name: str) -> None:
    task = TASKS[name]

    def process(x: Any) -> Any:
        notes = (x[..., :1] + RNG.uniform(-1, 1, (*x.shape[:2], task.num_outputs)) > 1).astype(np.float32)
        return notes if task.loss == "bce" else notes.argmax(axis=-1)

    train, validation, test = random_splits(task, (300, 100, 100), process)
    for baseline in (baselines.constant, baselines.ridge):
        outputs = baseline(task, train, validation, test)
        assert outputs.min() > 0
        assert outputs.max() < 1
        if name == "harmonypredictor":
            np.testing.assert_allclose(outputs.sum(axis=-1), 1)


def test_persistence_is_right_where_values_do_not_change() -> None:
    targets = RNG.random((50, 1, 16))
    same = sequences(targets, previous=targets.copy())
    assert mean_loss("mse", Predictions(same, baselines.persistence(DYNAMICS, same, same, same))) < 1e-20
    other = sequences(targets, previous=RNG.random((50, 1, 16)))
    outputs = baselines.persistence(DYNAMICS, other, other, other)
    assert mean_loss("mse", Predictions(other, outputs)) > 0.8 * targets.var()


def test_persistence_of_notes_is_their_probability_given_the_previous_bar() -> None:
    previous = (RNG.random((4_000, 1, 128)) < 0.3) * 1.0
    probabilities = np.where(previous > 0, 0.6, 0.2)
    probabilities[..., 64:] = 0.0  # pitches that never sound must add next to no loss
    split = sequences((RNG.random(previous.shape) < probabilities) * 1.0, previous=previous)
    outputs = baselines.persistence(TASKS["melodytransformer"], split, split, split)
    assert np.abs(outputs - probabilities).max() < 0.05
    assert outputs[..., 64:].max() == min(baselines.BOUNDS)


def test_persistence_fits_no_line_through_equal_values_or_through_two() -> None:
    targets = RNG.random((50, 1, 16)).astype(np.float32)
    previous = np.full_like(targets, 0.1)
    previous[2:, :, 8:] = np.nan
    previous[:2, :, 8:] = [[[0.1]], [[0.2]]]
    test = sequences(targets, previous=np.full_like(targets, 0.9))
    outputs = baselines.persistence(DYNAMICS, sequences(targets, previous=previous), test, test)
    np.testing.assert_allclose(outputs, np.broadcast_to(targets.mean(axis=0), targets.shape), rtol=1e-5)


def test_large_data_is_processed_in_blocks_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    targets, mask = RNG.random((50, 3, 16)), RNG.random((50, 3, 16)) < 0.7
    split = sequences(targets, mask=mask, previous=targets + 0.3 * RNG.standard_normal(targets.shape))
    predictions = Predictions(split, RNG.random((50, 3, 16)))
    one, one_line = loss_sums("mse", predictions), baselines.persistence(DYNAMICS, split, split, split)
    assert one.mean == pytest.approx(np.nanmean(metrics.losses("mse", predictions)), rel=1e-12)
    monkeypatch.setattr(metrics, "BLOCK_SIZE", 7 * 3 * 16)
    many, many_lines = loss_sums("mse", predictions), baselines.persistence(DYNAMICS, split, split, split)
    assert many.mean == pytest.approx(one.mean, rel=1e-12)
    np.testing.assert_array_equal(many.sums, one.sums)
    assert many.counts.tolist() == mask.sum(axis=(1, 2)).tolist()
    np.testing.assert_allclose(many_lines, one_line, rtol=1e-9)


def test_the_category_mean_depends_on_the_category() -> None:
    labels = np.array(["major", "minor"] * 25)
    targets = np.where(labels == "major", 0.8, 0.2)[:, None, None] * np.ones((50, 1, 16))
    split = sequences(targets, category=labels)
    np.testing.assert_allclose(baselines.category_mean(DYNAMICS, split, split, split), targets)
