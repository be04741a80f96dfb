"""Resuming: a resumed run ends like an uninterrupted one, or is rejected before any file is changed."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.small_runs import files, interrupt, run, settings, small_data

from kelly.networks import GroovePredictor, Network
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS, Dense
from kelly.training import CheckpointManager, OptimizationConfig, RunOptions, TrainingMetrics, train
from kelly.training.batches import Batches
from kelly.training.train_model import train_model


@pytest.mark.parametrize("name", ["groovepredictor", "emotionrecognizer"])  # feed-forward, recurrent
def test_every_epoch_can_be_resumed_exactly(tmp_path: Path, name: str) -> None:
    options: dict[str, Any] = {"name": name, "learning_rate": 0.03, "early_stopping_patience": 3}
    run(tmp_path / "uninterrupted", epochs=8, **options)
    for epochs in range(1, 9):
        run(tmp_path / "resumed", "never" if epochs == 1 else "always", epochs=epochs, **options)
    assert files(tmp_path / "resumed") == files(tmp_path / "uninterrupted")


def test_an_interrupted_stage_resumes_and_a_finished_one_trains_from_scratch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path / "uninterrupted")
    interrupt(tmp_path / "interrupted", after=1)
    (tmp_path / "interrupted/checkpoints/groovepredictor_best.pt").unlink()  # as DVC does when it reruns a stage
    capsys.readouterr()
    run(tmp_path / "interrupted", "unfinished")
    assert "resuming after epoch 1" in capsys.readouterr().out
    assert files(tmp_path / "interrupted") == files(tmp_path / "uninterrupted")
    run(tmp_path / "interrupted", "unfinished")
    assert "Epoch 1/4" in capsys.readouterr().out


@pytest.mark.parametrize("change", [{"epochs": 1}, {"early_stopping_patience": 1}, {"learning_rate": 0.02}])
def test_an_interrupted_stage_with_other_settings_trains_from_scratch(tmp_path: Path, change: dict[str, Any]) -> None:
    run(tmp_path / "uninterrupted", **change)
    interrupt(tmp_path / "interrupted", after=3)
    run(tmp_path / "interrupted", "unfinished", **change)
    assert files(tmp_path / "interrupted") == files(tmp_path / "uninterrupted")


def test_an_interrupted_stage_with_another_network_trains_from_scratch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt(tmp_path, after=1)
    other = replace(TASKS["groovepredictor"], layers=(Dense(16, "relu"), Dense(32, "tanh")))
    train_model(other, settings(), small_data(), {"sha256": "0"}, tmp_path, resume="unfinished")
    assert "Epoch 1/4" in capsys.readouterr().out.partition("retrained from scratch")[2]


def test_a_checkpoint_of_an_earlier_version_is_retrained_by_a_stage_and_rejected_by_resume(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, epochs=2)
    manager = CheckpointManager(tmp_path / "checkpoints")
    path = manager.latest_path("groovepredictor")
    torch.save({**torch.load(path), "version": 4}, path)
    with pytest.raises(KellyError, match="has version 4, expected 5"):
        run(tmp_path, "always", epochs=2)
    run(tmp_path, "unfinished", epochs=2)
    assert "retrained from scratch" in capsys.readouterr().out
    assert manager.load_latest("groovepredictor")["finished"]


def test_a_checkpoint_without_a_fingerprint_cannot_be_resumed_by_a_stage(tmp_path: Path) -> None:
    batches, manager = Batches(small_data()["train"], 16), CheckpointManager(tmp_path / "checkpoints")
    train(GroovePredictor(), batches, config=OptimizationConfig(epochs=1), checkpoint_manager=manager)
    with pytest.raises(KellyError, match="no fingerprint"):
        run(tmp_path, "always")


def test_a_finished_run_is_recognised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path)
    before = files(tmp_path)
    capsys.readouterr()
    run(tmp_path, "always")
    printed = capsys.readouterr().out
    assert "finished after epoch 4" in printed
    assert "Epoch 5" not in printed
    assert files(tmp_path) == before


def test_resuming_with_other_settings_is_rejected_with_a_list(tmp_path: Path) -> None:
    run(tmp_path)
    before = files(tmp_path)
    with pytest.raises(KellyError) as error:
        run(tmp_path, "always", learning_rate=0.5, batch_size=8, epochs=9)
    assert "learning_rate: checkpoint 0.01, now 0.5" in str(error.value)
    assert "batch_size: checkpoint 16, now 8" in str(error.value)
    assert "epochs: checkpoint" not in str(error.value)  # it only determines when training stops
    assert files(tmp_path) == before


def test_resuming_with_other_data_or_code_is_rejected_with_a_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path)
    monkeypatch.setattr("kelly.training.fingerprint.TRAINING_CODE", "another")
    data = {"sha256": "9", "source": "groove"}
    with pytest.raises(KellyError) as error:
        train_model(TASKS["groovepredictor"], settings(), small_data(), data, tmp_path, resume="always")
    for difference in ("now another", "data.sha256: checkpoint 0, now 9", "data.source: checkpoint None"):
        assert difference in str(error.value)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"epochs": 30, "early_stopping_patience": 1}, {"epochs": 30, "early_stopping_patience": 4}),
        ({"epochs": 2}, {"epochs": 7}),
        ({"epochs": 30, "early_stopping_min_delta": 0.02}, {"epochs": 30, "early_stopping_min_delta": 0.0}),
        (
            {"epochs": 30, "early_stopping_min_delta": 0.5, "early_stopping_min_delta_mode": "rel"},
            {"epochs": 30, "early_stopping_min_delta": 0.1, "early_stopping_min_delta_mode": "rel"},
        ),
    ],
)
@pytest.mark.parametrize("resume", ["always", "unfinished"])
def test_training_longer_equals_having_trained_that_long(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], resume: Any
) -> None:
    common: dict[str, Any] = {"learning_rate": 0.03, "early_stopping_patience": 2}
    run(tmp_path / "uninterrupted", **common | after)
    stopped = len(run(tmp_path / "resumed", **common | before))
    if resume == "unfinished":
        manager = CheckpointManager(tmp_path / "resumed/checkpoints")
        manager.save_latest("groovepredictor", {**manager.load_latest("groovepredictor"), "finished": False})
    assert len(run(tmp_path / "resumed", resume, **common | after)) > stopped
    assert files(tmp_path / "resumed") == files(tmp_path / "uninterrupted")


def test_a_run_past_the_last_epoch_of_the_settings_is_rejected(tmp_path: Path) -> None:
    run(tmp_path, epochs=6)
    before = files(tmp_path)
    with pytest.raises(KellyError, match=r"at epoch 6.* after epoch 4; raise epochs"):
        run(tmp_path, "always", epochs=4)
    assert files(tmp_path) == before


RECIPE: dict[str, Any] = {
    "learning_rate_schedule": "cosine",
    "warmup_epochs": 2,
    "weight_decay": 0.1,
    "max_gradient_norm": 0.05,
}


@pytest.mark.parametrize("after", [1, 2, 4])
def test_schedule_weight_decay_and_clipping_resume_exactly(tmp_path: Path, after: int) -> None:
    run(tmp_path / "uninterrupted", epochs=5, **RECIPE)
    interrupt(tmp_path / "interrupted", after, epochs=5, **RECIPE)
    run(tmp_path / "interrupted", "unfinished", epochs=5, **RECIPE)
    assert files(tmp_path / "interrupted") == files(tmp_path / "uninterrupted")
    run(tmp_path / "plain", epochs=5)
    assert files(tmp_path / "plain") != files(tmp_path / "uninterrupted")


def test_a_cosine_schedule_cannot_be_resumed_with_other_epochs(tmp_path: Path) -> None:
    run(tmp_path, epochs=3, learning_rate_schedule="cosine")
    with pytest.raises(KellyError, match="epochs: checkpoint 3, now 6"):
        run(tmp_path, "always", epochs=6, learning_rate_schedule="cosine")


def largest_weight(network: Network) -> dict[str, float]:
    return {"largest_weight": max(float(weight.abs().max()) for weight in network.parameters())}


def test_custom_metrics_survive_a_resume(tmp_path: Path) -> None:
    options = RunOptions(custom_metrics=largest_weight)
    run(tmp_path / "uninterrupted", options=options)
    run(tmp_path / "resumed", options=options, epochs=2)
    history = run(tmp_path / "resumed", "always", options=options)
    assert len(set(history.columns["largest_weight"])) == 4
    assert files(tmp_path / "resumed") == files(tmp_path / "uninterrupted")
    with pytest.raises(KellyError, match="largest_weight"):
        run(tmp_path / "resumed", "always", epochs=6)


def test_an_output_folder_that_is_removed_during_a_run_is_written_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def remove(metrics: TrainingMetrics) -> None:
        if len(metrics) == 2:
            shutil.rmtree(tmp_path / "removed")

    run(tmp_path / "uninterrupted")
    run(tmp_path / "removed", options=RunOptions(after_epoch=remove))
    assert "was removed" in capsys.readouterr().out
    assert files(tmp_path / "removed") == files(tmp_path / "uninterrupted")


def test_a_second_run_in_the_same_folder_is_rejected(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from kelly.runtime.locks import lock_models\n"
        "with lock_models(Path(sys.argv[1]), 'groovepredictor'): print('locked', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(KellyError, match="another run is writing groovepredictor"):
            run(tmp_path)
        assert files(tmp_path) == {}
        run(tmp_path, name="emotionrecognizer")  # another network is not locked
        other.kill()
    run(tmp_path)  # a killed run leaves no lock behind
