"""The synthetic data: its oracle is unbiased, and no baseline comes near it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from kelly.data.dataset import Dataset
from kelly.evaluation.baselines import constant, ridge
from kelly.evaluation.metrics import Predictions, mean_loss
from kelly.sources.generate import check
from kelly.sources.synthetic.dynamics import generate as dynamics
from kelly.sources.synthetic.emotion import generate as emotion
from kelly.sources.synthetic.emotion import spectrum
from kelly.sources.synthetic.groove import generate as groove
from kelly.sources.synthetic.harmony import generate as harmony
from kelly.sources.synthetic.melody import generate as melody
from kelly.sources.synthetic.process import clipped_mean
from kelly.tasks import TASKS

GENERATE: dict[str, tuple[Callable[..., Dataset], int]] = {
    "emotionrecognizer": (partial(emotion, num_frames=8), 1_200),
    "melodytransformer": (partial(melody, num_frames=8), 800),
    "harmonypredictor": (harmony, 6_000),
    "dynamicsengine": (dynamics, 3_000),
    "groovepredictor": (groove, 3_000),
}


@pytest.fixture(scope="module")
def datasets() -> dict[str, Dataset]:
    """A small data set of every process."""
    return {name: generate(num_sequences, seed=1) for name, (generate, num_sequences) in GENERATE.items()}


@pytest.mark.parametrize("name", GENERATE)
def test_the_data_fits_its_network(datasets: dict[str, Dataset], name: str) -> None:
    sequences, stream = datasets[name].sequences, datasets[name].stream
    check(TASKS[name], sequences)
    assert np.abs(sequences.inputs).max() <= 1
    assert len(np.unique(sequences.groups)) == len(sequences)
    assert (stream is not None) == TASKS[name].is_recurrent
    if stream is not None:
        assert stream.inputs.shape[:2] == (1, 2_400)
        check(TASKS[name], stream)


@pytest.mark.parametrize("generate", [generate for generate, _ in GENERATE.values()], ids=GENERATE)
def test_the_same_seed_gives_the_same_data(generate: Callable[..., Dataset]) -> None:
    first, again, other = (generate(50, seed=seed).sequences for seed in (1, 1, 2))
    assert np.array_equal(first.inputs, again.inputs)
    assert np.array_equal(first.targets, again.targets)
    assert not np.array_equal(first.targets, other.targets)


@pytest.mark.parametrize("name", GENERATE)
def test_ridge_is_between_the_oracle_and_the_constant(datasets: dict[str, Dataset], name: str) -> None:
    task, sequences = TASKS[name], datasets[name].sequences
    half = len(sequences) // 2
    train, test = sequences.take(np.arange(half)), sequences.take(np.arange(half, len(sequences)))
    assert sequences.oracle is not None
    floor = mean_loss(task.loss, Predictions(test, np.asarray(test.oracle, dtype=np.float64)))
    linear = mean_loss(task.loss, Predictions(test, ridge(task, train, train, test)))
    baseline = mean_loss(task.loss, Predictions(test, constant(task, train, train, test)))
    assert floor < linear < baseline
    assert (baseline - linear) / (baseline - floor) < 0.95


@pytest.mark.parametrize("name", GENERATE)
def test_the_oracle_is_unbiased(datasets: dict[str, Dataset], name: str) -> None:
    sequences = datasets[name].sequences
    assert sequences.oracle is not None
    task, oracle = TASKS[name], sequences.oracle.reshape(-1, sequences.oracle.shape[-1]).astype(np.float64)
    targets = np.eye(64)[sequences.targets] if task.loss == "cross_entropy" else sequences.targets
    residual = targets.reshape(oracle.shape) - oracle
    variance = residual.var(axis=0) if task.loss == "mse" else (oracle * (1 - oracle)).mean(axis=0)
    # Frames of one sequence are not independent, so n is the number of sequences.
    error = np.sqrt(variance / len(sequences)) + 1e-9
    assert (np.abs(residual.mean(axis=0)) / error).max() < 5


def test_the_bayes_filter_of_emotion_improves_with_each_frame(datasets: dict[str, Dataset]) -> None:
    sequences = datasets["emotionrecognizer"].sequences
    assert sequences.oracle is not None
    error = ((sequences.oracle - sequences.targets) ** 2).mean(axis=(0, 2))
    assert error[0] > 1.4 * error[-1]


def test_arousal_makes_the_spectrum_louder() -> None:
    calm, lively = spectrum(np.array([0.0, 0.0]), np.array([-0.8, 0.8]))
    assert lively.mean() > calm.mean()
    assert np.abs(spectrum(np.array([-0.9, 0.9]), np.zeros(2))).max() < 1


@pytest.mark.parametrize(("mean", "low", "high"), [(0.02, 0.0, 1.0), (0.5, 0.0, 1.0), (-0.97, -1.0, 1.0)])
def test_the_mean_of_a_clipped_normal_is_that_of_samples(mean: float, low: float, high: float) -> None:
    samples = np.clip(np.random.default_rng(0).normal(mean, 0.1, 400_000), low, high)
    computed: Any = clipped_mean(np.array(mean), 0.1, low, high)
    assert computed == pytest.approx(samples.mean(), abs=1e-3)
