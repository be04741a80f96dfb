"""The laws: what they draw fits their own best prediction, and no cheaper predictor comes near it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kelly.data.dataset import Dataset
from kelly.evaluation.baselines import constant, ridge
from kelly.evaluation.metrics import Predicted, loss
from kelly.sources.generate import check
from kelly.sources.synthetic.dynamics import generate as dynamics
from kelly.sources.synthetic.emotion import generate as emotion
from kelly.sources.synthetic.emotion import spectrum
from kelly.sources.synthetic.groove import generate as groove
from kelly.sources.synthetic.harmony import generate as harmony
from kelly.sources.synthetic.law import clipped_mean
from kelly.sources.synthetic.melody import generate as melody
from kelly.tasks import TASKS

DRAW: dict[str, Callable[[int], Dataset]] = {
    "emotionrecognizer": lambda seed: emotion(1_500, 8, seed),
    "melodytransformer": lambda seed: melody(1_500, 8, seed),
    "harmonypredictor": lambda seed: harmony(6_000, seed),
    "dynamicsengine": lambda seed: dynamics(3_000, seed),
    "groovepredictor": lambda seed: groove(3_000, seed),
}


@pytest.fixture(scope="module")
def drawn() -> dict[str, Dataset]:
    """A small data set of every law."""
    return {name: draw(1) for name, draw in DRAW.items()}


@pytest.mark.parametrize("name", DRAW)
def test_a_law_draws_what_its_network_takes(drawn: dict[str, Dataset], name: str) -> None:
    sequences = drawn[name].sequences
    check(TASKS[name], sequences)
    assert np.abs(sequences.inputs).max() <= 1
    assert len(np.unique(sequences.groups)) == len(sequences)


@pytest.mark.parametrize("name", DRAW)
def test_the_same_seed_draws_the_same(drawn: dict[str, Dataset], name: str) -> None:
    again, other = DRAW[name](1), DRAW[name](2)
    assert np.array_equal(drawn[name].sequences.inputs, again.sequences.inputs)
    assert np.array_equal(drawn[name].sequences.targets, again.sequences.targets)
    assert not np.array_equal(drawn[name].sequences.targets, other.sequences.targets)


@pytest.mark.parametrize("name", DRAW)
def test_nothing_beats_the_oracle_and_ridge_lies_between_it_and_the_constant(
    drawn: dict[str, Dataset], name: str
) -> None:
    task, sequences = TASKS[name], drawn[name].sequences
    half = len(sequences) // 2
    train, test = sequences.take(np.arange(half)), sequences.take(np.arange(half, len(sequences)))
    assert sequences.oracle is not None
    floor = loss(task.loss, Predicted(test, np.asarray(test.oracle, dtype=np.float64)))
    linear = loss(task.loss, Predicted(test, ridge(task, train, train, test)))
    baseline = loss(task.loss, Predicted(test, constant(task, train, train, test)))
    assert floor < linear < baseline
    assert (baseline - linear) / (baseline - floor) < 0.95


@pytest.mark.parametrize("name", DRAW)
def test_the_oracle_is_right_on_average(drawn: dict[str, Dataset], name: str) -> None:
    sequences = drawn[name].sequences
    assert sequences.oracle is not None
    task, oracle = TASKS[name], sequences.oracle.reshape(-1, sequences.oracle.shape[-1]).astype(np.float64)
    targets = np.eye(64)[sequences.targets] if task.loss == "cross_entropy" else sequences.targets
    residual = targets.reshape(oracle.shape) - oracle
    variance = residual.var(axis=0) if task.loss == "mse" else (oracle * (1 - oracle)).mean(axis=0)
    # Frames of one sequence are not independent, so that count the sequences.
    error = np.sqrt(variance / len(sequences)) + 1e-9
    assert (np.abs(residual.mean(axis=0)) / error).max() < 5


@pytest.mark.parametrize("name", ["emotionrecognizer", "melodytransformer"])
def test_a_stream_is_one_long_sequence_of_the_same_law(drawn: dict[str, Dataset], name: str) -> None:
    stream = drawn[name].stream
    assert stream is not None
    assert stream.inputs.shape[:2] == (1, 2_400)
    check(TASKS[name], stream)


def test_emotions_bayes_filter_learns_from_each_further_frame(drawn: dict[str, Dataset]) -> None:
    sequences = drawn["emotionrecognizer"].sequences
    assert sequences.oracle is not None
    error = ((sequences.oracle - sequences.targets) ** 2).mean(axis=(0, 2))
    assert error[0] > 1.4 * error[-1]


def test_arousal_makes_the_spectrum_louder_and_valence_turns_the_third() -> None:
    calm, lively = spectrum(np.array([0.0, 0.0]), np.array([-0.8, 0.8]))
    assert lively.mean() > calm.mean()
    assert np.abs(spectrum(np.array([-0.9, 0.9]), np.zeros(2))).max() < 1


@pytest.mark.parametrize(("mean", "low", "high"), [(0.02, 0.0, 1.0), (0.5, 0.0, 1.0), (-0.97, -1.0, 1.0)])
def test_the_mean_of_a_clipped_normal_is_that_of_drawn_ones(mean: float, low: float, high: float) -> None:
    drawn = np.clip(np.random.default_rng(0).normal(mean, 0.1, 400_000), low, high)
    computed: Any = clipped_mean(np.array(mean), 0.1, low, high)
    assert computed == pytest.approx(drawn.mean(), abs=1e-3)
