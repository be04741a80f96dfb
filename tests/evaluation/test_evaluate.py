"""Scores of networks whose skill is known, with those of their baselines and of the shuffled-input control."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.small_sequences import sequences

from kelly.data.splits import SPLITS
from kelly.evaluation import baselines
from kelly.evaluation.comparisons import compare_with
from kelly.evaluation.evaluate import core_scores, evaluate, rows_of_other_pieces, skill
from kelly.tasks import TASKS

RNG = np.random.default_rng(0)
TASK = TASKS["dynamicsengine"]


def test_skill_is_one_at_the_floor_and_zero_at_the_baseline() -> None:
    assert skill(0.2, 1.0, 0.2) == 1
    assert skill(1.0, 1.0, 0.2) == 0
    assert skill(0.8, 1.0, None) == pytest.approx(0.2)


def test_scores_include_every_baseline_the_floor_and_intervals() -> None:
    weights = RNG.standard_normal((32, 16)) / 8

    def network(x: Any) -> Any:
        return np.tanh(x @ weights) / 2 + 0.5

    splits = {}
    for name, n in (("train", 200), ("validation", 60), ("test", 60)):
        inputs = RNG.uniform(-1, 1, (n, 1, 32)).astype(np.float32)
        noisy = network(inputs) + 0.05 * RNG.standard_normal((n, 1, 16))
        splits[name] = sequences(noisy, inputs, oracle=network(inputs), previous=RNG.random(noisy.shape))
    scores = evaluate(TASK, network, splits)
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
    assert core_scores(TASK, network, splits)["loss"] == scores["loss"]
    assert all(isinstance(value, float | int) and math.isfinite(value) for value in scores.values())


def test_a_network_that_only_repeats_previous_values_does_not_differ_from_persistence() -> None:
    splits = {}
    for name in SPLITS:
        previous = RNG.random((40, 1, 16))
        inputs = RNG.uniform(-1, 1, (40, 1, 32)).astype(np.float32)
        splits[name] = sequences(0.7 * previous + 0.3 * RNG.random(previous.shape), inputs, previous=previous)
    train, validation = splits["train"], splits["validation"]
    outputs = {s.inputs.tobytes(): baselines.persistence(TASK, train, validation, s) for s in splits.values()}
    scores = evaluate(TASK, lambda x: outputs[x.tobytes()], splits)
    assert scores["persistence_gap"] == scores["persistence_gap_low"] == scores["persistence_gap_high"] == 0.0
    assert compare_with(scores, "persistence") == "no difference"
    assert compare_with(scores, "ridge") == "better"


def test_shuffled_inputs_remove_the_skill_that_comes_from_the_inputs_and_no_other() -> None:
    inputs = RNG.uniform(0, 1, (60, 1, 32)).astype(np.float32)
    splits = dict.fromkeys(SPLITS, sequences(inputs[..., :16].copy(), inputs))
    scores = evaluate(TASK, lambda x: x[..., :16], splits)
    assert scores["skill"] == 1
    assert scores["shuffled_skill"] == pytest.approx(-1, abs=0.2)  # the error of a wrong target is twice the variance
    assert compare_with(scores, "shuffled") == "better"
    constant = evaluate(TASK, lambda x: np.full((*x.shape[:2], 16), 0.4), splits)
    assert constant["shuffled_loss"] == pytest.approx(constant["loss"], rel=1e-12)
    assert constant["shuffled_skill"] == pytest.approx(constant["skill"], rel=1e-9)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=12))
def test_inputs_are_those_of_another_piece_as_far_as_there_are_enough(sizes: list[int]) -> None:
    pieces = RNG.permutation(np.repeat(np.arange(len(sizes)), sizes))
    rows = rows_of_other_pieces(pieces)
    assert sorted(rows.tolist()) == list(range(len(pieces)))
    assert (pieces[rows] == pieces).sum() == max(0, 2 * max(sizes) - len(pieces))
    np.testing.assert_array_equal(rows, rows_of_other_pieces(pieces))


def test_a_single_piece_has_neither_control_nor_interval() -> None:
    inputs = RNG.uniform(0, 1, (20, 1, 32)).astype(np.float32)
    split = replace(sequences(RNG.random((20, 1, 16)), inputs), groups=np.full(20, "one"))
    scores = evaluate(TASK, lambda x: np.full((*x.shape[:2], 16), 0.5), dict.fromkeys(SPLITS, split))
    assert not [name for name in scores if name.startswith("shuffled") or name.endswith(("_low", "_high"))]
    assert scores["num_test_pieces"] == 1
