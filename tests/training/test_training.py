"""The training loop, whole runs, and their checkpoints."""

from pathlib import Path

import numpy as np
import pytest
import torch
from support.small_runs import files, run, settings, small_data
from torch.utils.data import DataLoader, TensorDataset

from kelly.data import splits
from kelly.data.dataset import Sequences
from kelly.evaluation.evaluate import core_scores
from kelly.evaluation.metrics import Predicted, loss
from kelly.export.export_model import as_function
from kelly.networks import DynamicsEngine, GroovePredictor, Network
from kelly.runtime.errors import KellyError
from kelly.sources.synthetic.dynamics import generate as dynamics
from kelly.tasks import TASKS
from kelly.training import (
    CheckpointManager,
    EarlyStopping,
    EmotionRecognizer,
    TrainingMetrics,
    train,
    train_emotion_recognizer,
)
from kelly.training.batches import Batches
from kelly.training.loop import inherited
from kelly.training.train_model import choose_device, train_model


def test_a_run_leaves_the_tree_that_the_readme_shows(tmp_path: Path) -> None:
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
    parts = small_data()
    parts["train"].inputs[20] = np.nan
    with pytest.raises(KellyError, match=r"GroovePredictor, epoch 1, batch \d of 3: the loss is nan"):
        train_model(TASKS["groovepredictor"], settings(), parts, {"sha256": "1"}, tmp_path)
    assert (tmp_path / "checkpoints/groovepredictor_best.pt").read_bytes() == best


@pytest.mark.parametrize("name", TASKS)
def test_a_learning_rate_of_100_ends_with_an_error_that_names_model_epoch_and_batch(tmp_path: Path, name: str) -> None:
    task, rng = TASKS[name], np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (120, 2, task.num_inputs)).astype(np.float32)
    logits = 2 * inputs @ rng.standard_normal((task.num_inputs, task.num_outputs)) / task.num_inputs**0.5
    levels = {"tanh": np.tanh(logits) / 2, "sigmoid": 1 / (1 + np.exp(-logits)), "softmax": logits}
    targets = levels[task.layers[-1].activation]
    kinds = {"mse": targets.astype(np.float32), "bce": (targets > 0.7).astype(np.float32)}
    targets = kinds.get(task.loss, logits.argmax(axis=-1))
    part = Sequences(inputs, targets, np.array([str(i) for i in range(120)]))
    parts = {"train": part, "validation": part}
    train_model(task, settings(epochs=1, learning_rate=0.001), parts, {}, tmp_path)
    before = files(tmp_path)
    with pytest.raises(KellyError, match=rf"{task.title}, epoch \d, batch \d+ of 8: training diverges, the loss is "):
        train_model(task, settings(epochs=9, learning_rate=100.0), parts, {}, tmp_path)
    assert files(tmp_path) == before


def test_an_epoch_of_one_batch_which_begins_as_the_untrained_network_is_no_divergence() -> None:
    for seed in range(20):
        part = small_data("emotionrecognizer", n=90 + 2 * seed)["train"]
        part.targets[:] = -1.0  # far from what an untrained network says, so that its loss is the limit
        part.targets[0, 0, 0] = 1.0
        batches = Batches(part, 128, torch.Generator().manual_seed(seed))
        assert len(train(EmotionRecognizer(seed), batches, epochs=1)) == 1


def test_what_cannot_be_learned_is_no_divergence(tmp_path: Path) -> None:
    parts = small_data()
    rng = np.random.default_rng(1)
    for part in parts.values():
        part.targets[:] = rng.standard_normal(part.targets.shape) / 4
    assert len(train_model(TASKS["groovepredictor"], settings(epochs=6), parts, {}, tmp_path)) == 6


def test_the_integration_snippet_runs_as_written(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    data = TensorDataset(torch.rand(64, 128, generator=generator), torch.rand(64, 64, generator=generator))
    train_loader = DataLoader(data, batch_size=16, shuffle=True, generator=torch.Generator().manual_seed(1))
    val_loader = DataLoader(data, batch_size=64)
    model = EmotionRecognizer()
    checkpoint_dir = tmp_path

    early_stopping = EarlyStopping(patience=10)
    metrics = TrainingMetrics()
    checkpoint_manager = CheckpointManager(checkpoint_dir)

    # Use in training loop
    train_emotion_recognizer(
        model, train_loader,
        val_loader=val_loader,
        early_stopping=early_stopping,
        metrics=metrics,
        checkpoint_manager=checkpoint_manager
    )  # fmt: skip
    assert early_stopping.best_epoch is not None
    assert metrics.columns["val_loss"][early_stopping.best_epoch - 1] == early_stopping.best_value
    assert checkpoint_manager.load_best("emotionrecognizer")["epoch"] == early_stopping.best_epoch


@pytest.mark.parametrize("name", TASKS)
def test_the_history_speaks_of_what_the_network_puts_out(name: str) -> None:
    task, rng = TASKS[name], np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (60, 2, task.num_inputs)).astype(np.float32)
    targets = rng.integers(0, 2, (60, 2, task.num_outputs)).astype(np.float32)
    if task.loss == "cross_entropy":
        targets = targets.argmax(axis=-1)
    part = Sequences(inputs, targets, np.array([str(i) for i in range(60)]))
    network = Network(task)
    history = train(network, Batches(part, 20, torch.Generator().manual_seed(1)), Batches(part, 60), epochs=2)
    with torch.inference_mode():
        outputs = network(torch.tensor(inputs)).double().numpy()
    best = min(value for value in history.columns["val_loss"] if value is not None)
    assert loss(task.loss, Predicted(part, outputs)) == pytest.approx(best, rel=1e-5)


def test_shuffled_inputs_teach_nothing() -> None:
    task = TASKS["dynamicsengine"]
    data = dynamics(num_sequences=1_500, seed=3)
    rows = splits.split_dataset(data, 3, 0.2, 0.2)
    skills = []
    for shuffle_seed in (None, 3):
        parts = splits.take_splits(data, rows, shuffle_seed)
        network, stopper = DynamicsEngine(), EarlyStopping(patience=3)
        train(
            network,
            Batches(parts["train"], 16, torch.Generator().manual_seed(1)),
            Batches(parts["validation"], 1_000),
            epochs=10,
            early_stopping=stopper,
        )
        skills.append(core_scores(task, as_function(network), parts)["skill"])
    assert skills[0] > 0.5
    assert abs(skills[1]) < 0.02


def test_an_lstm_learns_to_go_on_in_a_state_that_another_sequence_left() -> None:
    ended = [(torch.rand(6, 3), torch.rand(6, 3)), (torch.rand(6, 5), torch.rand(6, 5))]
    start = inherited(ended, 6, 4)
    assert start is not None
    for begun, before in zip(start, ended, strict=True):
        for part, end in zip(begun, before, strict=True):
            assert not part[::2].any()
            torch.testing.assert_close(part[1::2], end[1:4:2])
    assert inherited(ended, 6, 7) is None  # a first batch, or a larger one, starts from zero
    assert inherited(None, 0, 4) is None


def test_masked_targets_teach_nothing() -> None:
    part = small_data()["train"]
    mask = np.ones(part.targets.shape, dtype=bool)
    mask[:, :, 16:] = False
    spoilt = part.targets.copy()
    spoilt[~mask] = 99.0
    both = []
    for targets in (part.targets, spoilt):
        network = GroovePredictor()
        sequences = Sequences(part.inputs, targets, part.groups, mask)
        train(network, Batches(sequences, 16, torch.Generator().manual_seed(1)), epochs=2)
        both.append(network.state_dict())
    assert all(torch.equal(both[0][name], both[1][name]) for name in both[0])


def test_a_device_that_is_not_there_is_refused_with_a_list() -> None:
    missing = next(name for name in ("cuda", "mps") if not getattr(torch, name).is_available())
    with pytest.raises(KellyError, match=r"there is: .*cpu"):
        choose_device(missing)
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
