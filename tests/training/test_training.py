"""The training loop and complete runs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from support.small_runs import files, random_sequences, run, settings, small_data

from kelly.data import splits
from kelly.data.dataset import Sequences
from kelly.evaluation.evaluate import core_scores
from kelly.evaluation.metrics import Predictions, mean_loss
from kelly.export.export_model import as_function
from kelly.networks import DynamicsEngine, GroovePredictor, Network
from kelly.runtime.errors import KellyError
from kelly.sources.synthetic.dynamics import generate as dynamics
from kelly.tasks import TASKS
from kelly.training import EarlyStopping, EmotionRecognizer, OptimizationConfig, train
from kelly.training.batches import Batches
from kelly.training.loop import carried_state
from kelly.training.train_model import choose_device, train_model


def test_a_run_writes_checkpoints_and_history(tmp_path: Path) -> None:
    run(tmp_path)
    assert set(files(tmp_path)) == {
        "checkpoints/groovepredictor_latest.pt",
        "checkpoints/groovepredictor_best.pt",
        "history/groovepredictor_history.json",
        "history/groovepredictor_history.csv",
    }


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    run(tmp_path / "a")
    run(tmp_path / "b")
    run(tmp_path / "c", seed=2)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    name = "checkpoints/groovepredictor_best.pt"
    assert files(tmp_path / "a")[name] != files(tmp_path / "c")[name]


def test_a_divergence_names_model_epoch_and_batch_and_keeps_the_best(tmp_path: Path) -> None:
    run(tmp_path, epochs=1)
    best = (tmp_path / "checkpoints/groovepredictor_best.pt").read_bytes()
    data = small_data()
    data["train"].inputs[20] = np.nan
    with pytest.raises(KellyError, match=r"GroovePredictor, epoch 1, batch \d of 3: the loss is nan"):
        train_model(TASKS["groovepredictor"], settings(), data, {"sha256": "1"}, tmp_path)
    assert (tmp_path / "checkpoints/groovepredictor_best.pt").read_bytes() == best


@pytest.mark.parametrize("name", TASKS)
def test_a_learning_rate_of_100_ends_with_an_error_that_names_model_epoch_and_batch(tmp_path: Path, name: str) -> None:
    task, rng = TASKS[name], np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (120, 2, task.num_inputs)).astype(np.float32)
    logits = 2 * inputs @ rng.standard_normal((task.num_inputs, task.num_outputs)) / task.num_inputs**0.5
    outputs = {"tanh": np.tanh(logits) / 2, "sigmoid": 1 / (1 + np.exp(-logits)), "softmax": logits}
    targets = outputs[task.layers[-1].activation]
    by_loss = {"mse": targets.astype(np.float32), "bce": (targets > 0.7).astype(np.float32)}
    targets = by_loss.get(task.loss, logits.argmax(axis=-1))
    sequences = Sequences(inputs, targets, np.array([str(i) for i in range(120)]))
    data = {"train": sequences, "validation": sequences}
    train_model(task, settings(epochs=1, learning_rate=0.001), data, {}, tmp_path)
    before = files(tmp_path)
    with pytest.raises(KellyError, match=rf"{task.title}, epoch \d, batch \d+ of 8: training diverges, the loss is "):
        train_model(task, settings(epochs=9, learning_rate=100.0), data, {}, tmp_path)
    assert files(tmp_path) == before


def test_the_loss_of_the_untrained_network_is_no_divergence() -> None:
    for seed in range(20):
        data = small_data("emotionrecognizer", n=90 + 2 * seed)["train"]
        data.targets[:] = -1.0  # far from the outputs of an untrained network, so that its loss is the limit
        data.targets[0, 0, 0] = 1.0
        batches = Batches(data, 128, torch.Generator().manual_seed(seed))  # the only batch has that loss
        assert len(train(EmotionRecognizer(seed), batches, config=OptimizationConfig(epochs=1))) == 1


def test_targets_that_cannot_be_learned_are_no_divergence(tmp_path: Path) -> None:
    data, rng = small_data(), np.random.default_rng(1)
    for split in data.values():
        split.targets[:] = rng.standard_normal(split.targets.shape) / 4
    assert len(train_model(TASKS["groovepredictor"], settings(epochs=6), data, {}, tmp_path)) == 6


@pytest.mark.parametrize("name", TASKS)
def test_the_validation_loss_is_that_of_the_outputs_of_the_best_weights(name: str) -> None:
    task = TASKS[name]
    data, network = random_sequences(task, ragged=False), Network(task)
    batches, config = Batches(data, 20, torch.Generator().manual_seed(1)), OptimizationConfig(epochs=2)
    history = train(network, batches, Batches(data, 60), config=config)
    with torch.inference_mode():
        outputs = network(torch.tensor(data.inputs)).double().numpy()
    best = history.to_frame()["val_loss"].min()
    assert mean_loss(task.loss, Predictions(data, outputs)) == pytest.approx(best, rel=1e-5)


def test_nothing_is_learned_from_shuffled_inputs() -> None:
    task = TASKS["dynamicsengine"]
    data = dynamics(num_sequences=1_500, seed=3)
    rows = splits.split_dataset(data, 3, 0.2, 0.2)
    skills = []
    for shuffle_seed in (None, 3):
        sequences = splits.take_splits(data, rows, shuffle_seed)
        network = DynamicsEngine()
        train(
            network,
            Batches(sequences["train"], 16, torch.Generator().manual_seed(1)),
            Batches(sequences["validation"], 1_000),
            config=OptimizationConfig(epochs=10),
            early_stopping=EarlyStopping(patience=3),
        )
        skills.append(core_scores(task, as_function(network), sequences)["skill"])
    assert skills[0] > 0.5
    assert abs(skills[1]) < 0.02


def test_every_other_sequence_continues_in_the_state_of_the_previous_batch() -> None:
    final_state = [(torch.rand(6, 3), torch.rand(6, 3)), (torch.rand(6, 5), torch.rand(6, 5))]
    start = carried_state(final_state, 6, 4)
    assert start is not None
    for layer, previous_layer in zip(start, final_state, strict=True):
        for state, previous in zip(layer, previous_layer, strict=True):
            assert not state[::2].any()
            torch.testing.assert_close(state[1::2], previous[1:4:2])
    assert carried_state(final_state, 6, 7) is None  # a larger batch starts at zero, as the first one does
    assert carried_state(None, 0, 4) is None


def test_masked_targets_have_no_effect() -> None:
    data = small_data()["train"]
    mask = np.ones(data.targets.shape, dtype=bool)
    mask[:, :, 16:] = False
    weights = []
    for masked_value in (0.0, 99.0):
        network, targets = GroovePredictor(), np.where(mask, data.targets, np.float32(masked_value))
        batches = Batches(Sequences(data.inputs, targets, data.groups, mask), 16, torch.Generator().manual_seed(1))
        train(network, batches, config=OptimizationConfig(epochs=2))
        weights.append(network.state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_an_unavailable_device_is_rejected_with_a_list() -> None:
    missing = next(name for name in ("cuda", "mps") if not getattr(torch, name).is_available())
    with pytest.raises(KellyError, match=r"not available.*cpu"):
        choose_device(missing)
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
