"""What a network scores beside persistence and with the inputs of other pieces, where the answer is known."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly.data.dataset import Sequences
from kelly.data.splits import SPLITS
from kelly.evaluation import baselines
from kelly.evaluation.comparisons import verdict
from kelly.evaluation.evaluate import evaluate, of_other_pieces
from kelly.tasks import TASKS

RNG = np.random.default_rng(0)
TASK = TASKS["dynamicsengine"]


def sequences(targets: Any, inputs: Any, **more: Any) -> Sequences:
    """Each row a piece of its own."""
    return Sequences(inputs, targets, np.array([str(i) for i in range(len(targets))]), **more)


def test_a_network_that_only_repeats_what_was_heard_is_even_with_persistence() -> None:
    parts = {}
    for name in SPLITS:
        heard = RNG.random((40, 1, 16))
        inputs = RNG.uniform(-1, 1, (40, 1, 32)).astype(np.float32)
        parts[name] = sequences(0.7 * heard + 0.3 * RNG.random(heard.shape), inputs, previous=heard)
    train, validation = parts["train"], parts["validation"]
    outputs = {side.inputs.tobytes(): baselines.persistence(TASK, train, validation, side) for side in parts.values()}
    scores = evaluate(TASK, lambda x: outputs[x.tobytes()], parts)
    assert scores["persistence_gap"] == scores["persistence_gap_low"] == scores["persistence_gap_high"] == 0.0
    assert verdict(scores, "persistence") == "even"
    assert verdict(scores, "ridge") == "better"


def test_the_inputs_of_another_piece_take_away_what_came_from_the_inputs_and_nothing_else() -> None:
    inputs = RNG.uniform(0, 1, (60, 1, 32)).astype(np.float32)
    side = sequences(inputs[..., :16].copy(), inputs)
    parts = dict.fromkeys(SPLITS, side)
    scores = evaluate(TASK, lambda x: x[..., :16], parts)
    assert scores["skill"] == 1
    assert scores["shuffled_skill"] == pytest.approx(-1, abs=0.2)  # a wrong draw misses by twice the variance
    assert verdict(scores, "shuffled") == "better"
    deaf = evaluate(TASK, lambda x: np.full((*x.shape[:2], 16), 0.4), parts)
    assert deaf["shuffled_loss"] == pytest.approx(deaf["loss"], rel=1e-12)
    assert deaf["shuffled_skill"] == pytest.approx(deaf["skill"], rel=1e-9)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=12))
def test_inputs_are_those_of_another_piece_as_far_as_there_are_enough(sizes: list[int]) -> None:
    pieces = RNG.permutation(np.repeat(np.arange(len(sizes)), sizes))
    rows = of_other_pieces(pieces)
    assert sorted(rows.tolist()) == list(range(len(pieces)))
    same = (pieces[rows] == pieces).sum()
    assert same == max(0, 2 * max(sizes) - len(pieces))
    np.testing.assert_array_equal(rows, of_other_pieces(pieces))


def test_the_only_piece_has_no_other() -> None:
    inputs = RNG.uniform(0, 1, (20, 1, 32)).astype(np.float32)
    side = replace(sequences(RNG.random((20, 1, 16)), inputs), groups=np.full(20, "one"))
    scores = evaluate(TASK, lambda x: np.full((*x.shape[:2], 16), 0.5), dict.fromkeys(SPLITS, side))
    assert not [name for name in scores if name.startswith("shuffled") or name.endswith(("_low", "_high"))]
    assert scores["num_test_pieces"] == 1
