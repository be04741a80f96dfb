"""Checkpoints: complete, safe to read from any source, and rejected if they are not what they should be."""

import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from support.small_runs import run

from kelly.networks import DynamicsEngine, GroovePredictor
from kelly.runtime.errors import KellyError
from kelly.training import CheckpointManager, checkpoints
from kelly.training.checkpoints import load_weights


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoints of a small run."""
    folder = tmp_path_factory.mktemp("trained")
    run(folder, epochs=2)
    return folder / "checkpoints"


@pytest.fixture
def manager(trained: Path, tmp_path: Path) -> CheckpointManager:
    """A copy of them, to be damaged."""
    shutil.copytree(trained, tmp_path / "checkpoints")
    return CheckpointManager(tmp_path / "checkpoints")


def messages_of(manager: CheckpointManager) -> list[str]:
    """The errors on loading the latest and the best checkpoint of GroovePredictor."""
    messages = []
    for load in (manager.load_latest, manager.load_best):
        with pytest.raises(KellyError) as error:
            load("groovepredictor")
        messages.append(str(error.value))
    return messages


def paths(manager: CheckpointManager) -> list[Path]:
    return [manager.latest_path("groovepredictor"), manager.best_path("groovepredictor")]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 truncated", b"garbage", b"\x80\x02}q\x00."])
def test_a_file_that_is_not_a_checkpoint_is_rejected(manager: CheckpointManager, content: bytes) -> None:
    for path in paths(manager):
        path.write_bytes(content)
    for path, message in zip(paths(manager), messages_of(manager), strict=True):
        assert message.startswith(f"{path} is damaged or not a checkpoint")


def test_a_checkpoint_that_is_truncated_anywhere_is_rejected(manager: CheckpointManager) -> None:
    path = manager.latest_path("groovepredictor")
    content = path.read_bytes()
    for length in range(0, len(content), len(content) // 40):
        path.write_bytes(content[:length])
        with pytest.raises(KellyError, match="is damaged or not a checkpoint"):
            manager.load_latest("groovepredictor")


def test_a_flipped_bit_is_detected(manager: CheckpointManager) -> None:
    path = manager.best_path("groovepredictor")
    data = bytearray(path.read_bytes())
    weight = manager.load_best("groovepredictor")["model_state_dict"]["layers.0.weight"].numpy().tobytes()
    data[data.index(weight) + 5] ^= 1
    path.write_bytes(data)
    with pytest.raises(KellyError, match="does not match its checksum"):
        manager.load_best("groovepredictor")


def test_a_folder_or_an_oversized_file_is_rejected(manager: CheckpointManager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "MAX_BYTES", 1_000)
    assert all("expected at most 1000" in message for message in messages_of(manager))
    for path in paths(manager):
        path.unlink()
        path.mkdir()
    assert all("is not a file" in message for message in messages_of(manager))


def test_a_compressed_archive_is_rejected_before_it_is_decompressed(manager: CheckpointManager) -> None:
    path = manager.best_path("groovepredictor")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", bytes(10_000_000))
    with pytest.raises(KellyError, match=r"x/data\.pkl is compressed"):
        manager.load_best("groovepredictor")


def test_a_checkpoint_that_would_run_code_is_rejected(tmp_path: Path) -> None:
    class Malicious:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "owned",))

    torch.save({"version": 2, "model": "groovepredictor", "x": Malicious()}, tmp_path / "groovepredictor_best.pt")
    with pytest.raises(KellyError, match="plain tensors"):
        CheckpointManager(tmp_path).load_best("groovepredictor")
    assert not (tmp_path / "owned").exists()


def test_a_missing_checkpoint_or_one_of_another_model_or_version_is_rejected(manager: CheckpointManager) -> None:
    latest, best = paths(manager)
    state = manager.load_best("groovepredictor")
    manager.save_best("dynamicsengine", state)
    manager.best_path("dynamicsengine").rename(best)
    with pytest.raises(KellyError, match="of 'dynamicsengine', expected 'groovepredictor'"):
        manager.load_best("groovepredictor")
    torch.save({**state, "version": 1}, best)
    with pytest.raises(KellyError, match="has version 1, expected 5"):
        manager.load_best("groovepredictor")
    best.unlink()
    with pytest.raises(KellyError, match=r"is missing \(.*groovepredictor_latest\.pt\)"):
        manager.load_best("groovepredictor")
    latest.unlink()
    with pytest.raises(KellyError, match="contains no checkpoints"):
        manager.load_best("groovepredictor")


def test_the_best_checkpoint_has_weights_optimizer_state_and_history_up_to_its_epoch(tmp_path: Path) -> None:
    history = run(tmp_path, learning_rate=0.05, epochs=5)
    best = CheckpointManager(tmp_path / "checkpoints").load_best("groovepredictor")
    losses = history.to_frame()["val_loss"]
    epoch = int(losses.argmin()) + 1
    assert epoch == 4
    assert (best["epoch"], best["val_loss"]) == (epoch, losses.min())
    assert best["metrics"] == {name: column[:epoch] for name, column in history.columns.items()}
    run(tmp_path / "shorter", learning_rate=0.05, epochs=epoch)
    latest = CheckpointManager(tmp_path / "shorter/checkpoints").load_latest("groovepredictor")
    for key, name in (("model_state_dict", "layers.0.weight"), ("optimizer_state_dict", "exp_avg_sq")):
        assert torch.equal(best[key][name], latest[key][name])
    assert best["optimizer_state_dict"]["num_steps"] == 3 * epoch


def test_weights_without_an_optimizer_are_a_best_checkpoint(tmp_path: Path) -> None:
    manager = CheckpointManager(tmp_path)
    state = {"epoch": 1, "val_loss": 0.5, "model_state_dict": GroovePredictor().state_dict(), "fingerprint": None}
    manager.save_best("groovepredictor", state)
    best = manager.load_best("groovepredictor")
    assert (best["optimizer_state_dict"], best["metrics"]) == (None, {})


def test_weights_of_another_network_are_listed(tmp_path: Path) -> None:
    with pytest.raises(KellyError, match=r"layers\.0\.weight: checkpoint \(128, 32\) \S+, now \(128, 64\)"):
        load_weights(GroovePredictor(), DynamicsEngine().state_dict(), tmp_path / "x.pt")
