"""The training loop, whole runs, and their checkpoints."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from kelly import splits
from kelly.datasets.sequences import Sequences
from kelly.datasets.synthetic.dynamics import dynamics
from kelly.errors import KellyError
from kelly.evaluation import core_scores
from kelly.layers import Dense
from kelly.networks import DynamicsEngine, GroovePredictor, Network
from kelly.params import Training
from kelly.release import as_function
from kelly.scoring import Predicted, loss
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
from kelly.training.runs import choose_device, train_model


def small_data(name: str = "groovepredictor", n: int = 96) -> dict[str, Sequences]:
    task, rng = TASKS[name], np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (n, 2, task.num_inputs)).astype(np.float32)
    weights = rng.standard_normal((task.num_inputs, task.num_outputs))
    targets = np.tanh(inputs @ weights / 8).astype(np.float32)
    sequences = Sequences(inputs, targets, np.array([str(i) for i in range(n)]))
    return {"train": sequences.take(np.arange(n // 2)), "validation": sequences.take(np.arange(n // 2, n))}


def settings(**changes: Any) -> Training:
    values: dict[str, Any] = {
        "seed": 1,
        "epochs": 4,
        "batch_size": 16,
        "learning_rate": 0.01,
        "early_stopping_patience": 10,
        "early_stopping_min_delta": 0.0,
        "early_stopping_min_delta_mode": "abs",
        "device": "cpu",
        "num_threads": 1,
    }
    return Training(**values | changes)


def run(output: Path, resume: Any = "never", **changes: Any) -> TrainingMetrics:
    return train_model(
        TASKS["groovepredictor"], settings(**changes), small_data(), {"sha256": "0"}, output, resume=resume
    )


def files(output: Path) -> dict[str, bytes | str]:
    """All files below a folder but locks. What is in a latest checkpoint is compared, not how pickle ordered it."""
    found: dict[str, bytes | str] = {}
    for path in output.rglob("*"):
        if path.is_file() and path.suffix != ".lock":
            name = path.relative_to(output).as_posix()
            found[name] = exact(torch.load(path)) if name.endswith("_latest.pt") else path.read_bytes()
    return found


def exact(value: Any) -> str:
    """Every bit of nested values and tensors, as text."""
    if isinstance(value, torch.Tensor):
        return f"{value.dtype} {tuple(value.shape)} {value.numpy().tobytes().hex()}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {exact(part)}" for key, part in sorted(value.items(), key=str)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(exact(part) for part in value) + "]"
    return repr(value)


def test_a_run_leaves_the_tree_that_the_readme_shows(tmp_path: Path) -> None:
    run(tmp_path)
    assert set(files(tmp_path)) == {
        "checkpoints/groovepredictor_latest.pt",
        "checkpoints/groovepredictor_best.pt",
        "history/groovepredictor_history.json",
        "history/groovepredictor_history.csv",
        "plots/groovepredictor_loss.png",
        "plots/groovepredictor_metric.png",
    }


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    run(tmp_path / "a")
    run(tmp_path / "b")
    run(tmp_path / "c", seed=2)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    name = "checkpoints/groovepredictor_best.pt"
    assert files(tmp_path / "a")[name] != files(tmp_path / "c")[name]


def test_a_resumed_run_ends_like_an_unbroken_one(tmp_path: Path) -> None:
    run(tmp_path / "unbroken", epochs=6)
    run(tmp_path / "resumed", epochs=3)
    run(tmp_path / "resumed", epochs=6, resume="always")
    unbroken, resumed = files(tmp_path / "unbroken"), files(tmp_path / "resumed")
    assert {name for name in unbroken if unbroken[name] != resumed[name]} == set()


def test_a_killed_stage_goes_on_by_itself_and_a_finished_one_trains_afresh(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "unbroken", epochs=4)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingMetrics, "save_csv", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "killed", epochs=4)
    (tmp_path / "killed/checkpoints/groovepredictor_best.pt").unlink()  # as DVC does before it starts a stage again
    capsys.readouterr()
    run(tmp_path / "killed", epochs=4, resume="unfinished")
    assert "going on after epoch 1" in capsys.readouterr().out
    assert files(tmp_path / "killed") == files(tmp_path / "unbroken")
    run(tmp_path / "killed", epochs=4, resume="unfinished")
    assert "Epoch 1/4" in capsys.readouterr().out


@pytest.mark.parametrize("change", [{"epochs": 1}, {"early_stopping_patience": 1}, {"learning_rate": 0.02}])
def test_a_killed_stage_whose_settings_were_changed_trains_afresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    run(tmp_path / "unbroken", **change)
    epochs = iter(range(10))

    def killed(*_: Any) -> None:
        if next(epochs) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingMetrics, "save_csv", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "killed")
    run(tmp_path / "killed", resume="unfinished", **change)
    assert files(tmp_path / "killed") == files(tmp_path / "unbroken")


def test_a_killed_stage_whose_network_was_changed_trains_afresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingMetrics, "save_csv", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path)
    other = replace(TASKS["groovepredictor"], layers=(Dense(16, "relu"), Dense(32, "tanh")))
    train_model(other, settings(), small_data(), {"sha256": "0"}, tmp_path, resume="unfinished")
    assert "Epoch 1/4" in capsys.readouterr().out


def test_a_checkpoint_of_ones_own_loop_cannot_be_resumed_here(tmp_path: Path) -> None:
    part = small_data()["train"]
    network = GroovePredictor()
    train(network, Batches(part, 16), epochs=1, checkpoint_manager=CheckpointManager(tmp_path / "checkpoints"))
    with pytest.raises(KellyError, match="does not say what it was trained with"):
        run(tmp_path, resume="always")


def test_a_finished_run_is_recognised_under_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path)
    before = files(tmp_path)
    capsys.readouterr()
    run(tmp_path, resume="always")
    printed = capsys.readouterr().out
    assert "finished after epoch 4" in printed
    assert "Epoch 5" not in printed
    assert files(tmp_path) == before


def test_resuming_with_other_settings_is_refused_with_a_list(tmp_path: Path) -> None:
    run(tmp_path)
    before = files(tmp_path)
    with pytest.raises(KellyError) as error:
        run(tmp_path, resume="always", learning_rate=0.5, batch_size=8, epochs=9)
    assert "learning_rate: checkpoint 0.01, now 0.5" in str(error.value)
    assert "batch_size: checkpoint 16, now 8" in str(error.value)
    assert "epochs: checkpoint" not in str(error.value)  # it only says when to stop
    assert files(tmp_path) == before


def test_a_divergence_names_model_epoch_and_batch_and_keeps_the_best(tmp_path: Path) -> None:
    run(tmp_path, epochs=1)
    best = (tmp_path / "checkpoints/groovepredictor_best.pt").read_bytes()
    parts = small_data()
    parts["train"].inputs[20] = np.nan
    with pytest.raises(KellyError, match=r"GroovePredictor, epoch 1, batch \d of 3: the loss is nan"):
        train_model(TASKS["groovepredictor"], settings(), parts, {"sha256": "1"}, tmp_path)
    assert (tmp_path / "checkpoints/groovepredictor_best.pt").read_bytes() == best


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "not a whole"), (b"PK\x03\x04 truncated", "not a whole"), (b"garbage", "not a whole")],
)
def test_a_broken_checkpoint_is_told_apart(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "groovepredictor_best.pt").write_bytes(content)
    with pytest.raises(KellyError, match=message):
        CheckpointManager(tmp_path).load_best("groovepredictor")


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Malicious:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "owned",))

    torch.save({"version": 1, "model": "groovepredictor", "x": Malicious()}, tmp_path / "groovepredictor_best.pt")
    with pytest.raises(KellyError, match="plain tensors"):
        CheckpointManager(tmp_path).load_best("groovepredictor")
    assert not (tmp_path / "owned").exists()


def test_a_missing_or_foreign_checkpoint_is_named(tmp_path: Path) -> None:
    manager = CheckpointManager(tmp_path)
    with pytest.raises(KellyError, match="it holds no checkpoints"):
        manager.load_best("groovepredictor")
    manager.save_best("dynamicsengine", {})
    (tmp_path / "dynamicsengine_best.pt").rename(tmp_path / "groovepredictor_best.pt")
    with pytest.raises(KellyError, match="is a checkpoint of 'dynamicsengine'"):
        manager.load_best("groovepredictor")


def test_weights_of_another_network_are_listed(tmp_path: Path) -> None:
    from kelly.training.checkpoints import load_weights

    with pytest.raises(KellyError, match=r"layers\.0\.weight: checkpoint \(128, 32\) \S+, network \(128, 64\)"):
        load_weights(GroovePredictor(), DynamicsEngine().state_dict(), tmp_path / "x.pt")


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


def test_training_equals_an_ordinary_loop() -> None:
    part = small_data()["train"]
    ours = GroovePredictor(seed=5)
    history = train(ours, Batches(part, 16, torch.Generator().manual_seed(9)), epochs=3, learning_rate=0.01)
    plain = GroovePredictor(seed=5)
    optimizer = torch.optim.Adam(plain.parameters(), lr=0.01)
    generator = torch.Generator().manual_seed(9)
    x, y = torch.tensor(part.inputs), torch.tensor(part.targets)
    for epoch in range(3):
        total = 0.0
        for rows in torch.chunk(torch.randperm(len(x), generator=generator), 3):
            cost = torch.nn.functional.mse_loss(plain(x[rows]), y[rows])
            optimizer.zero_grad()
            torch.autograd.backward(cost)
            optimizer.step()
            total += cost.item() * len(rows)
        assert history.columns["train_loss"][epoch] == pytest.approx(total / len(x), rel=1e-5)


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
    rows = splits.split(data, 3, 0.2, 0.2)
    skills = []
    for shuffle_seed in (None, 3):
        parts = splits.divide(data, rows, shuffle_seed)
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
    network = Network(TASKS["melodytransformer"])
    x = torch.randn(6, 3, 64, generator=torch.Generator().manual_seed(1))
    _, state = network.logits(x)
    start = inherited(state, 4)
    assert start is not None
    for carried, ended in zip(start, state, strict=True):
        assert (carried is None) == (ended is None)
        if carried is not None and ended is not None:
            for part, end in zip(carried, ended, strict=True):
                assert not part[:, ::2].any()
                torch.testing.assert_close(part[:, 1::2], end[:, 1:4:2])
                assert not part.requires_grad
    assert inherited(state, 7) == [None] * 4  # a first batch, or a larger one, starts from zero
    assert inherited(None, 4) is None


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
