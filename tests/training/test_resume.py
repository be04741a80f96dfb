"""Going on with an earlier run: it ends like an unbroken one, or is refused before anything is changed."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.small_runs import files, run, settings, small_data

from kelly.networks import GroovePredictor
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS, Dense
from kelly.training import CheckpointManager, TrainingMetrics, train
from kelly.training.batches import Batches
from kelly.training.train_model import train_model


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


def test_after_an_update_a_stage_trains_afresh_and_a_resume_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, epochs=2)
    path = CheckpointManager(tmp_path / "checkpoints").latest_path("groovepredictor")
    torch.save({**torch.load(path), "version": 2}, path)
    with pytest.raises(KellyError, match="has version 2, expected 4; delete it and train again"):
        run(tmp_path, epochs=2, resume="always")
    run(tmp_path, epochs=2, resume="unfinished")
    assert "trained afresh, since" in capsys.readouterr().out
    assert CheckpointManager(tmp_path / "checkpoints").load_latest("groovepredictor")["finished"]


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
def test_stopping_later_and_going_on_equals_having_trained_that_long(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], resume: Any
) -> None:
    usual = {"learning_rate": 0.03, "early_stopping_patience": 2}
    run(tmp_path / "unbroken", **usual | after)
    stopped = len(run(tmp_path / "resumed", **usual | before))
    if resume == "unfinished":
        unfinish(tmp_path / "resumed")
    whole = len(run(tmp_path / "resumed", resume=resume, **usual | after))
    assert stopped < whole
    unbroken, resumed = files(tmp_path / "unbroken"), files(tmp_path / "resumed")
    assert {name for name in unbroken if unbroken[name] != resumed[name]} == set()


def unfinish(output: Path) -> None:
    """Make a latest checkpoint say that its run was stopped before its end."""
    manager = CheckpointManager(output / "checkpoints")
    manager.save_latest("groovepredictor", {**manager.load_latest("groovepredictor"), "finished": False})


def test_a_run_that_has_gone_further_than_the_settings_say_is_refused(tmp_path: Path) -> None:
    run(tmp_path, epochs=6)
    before = files(tmp_path)
    with pytest.raises(KellyError, match=r"come to epoch 6; with these settings .* after epoch 4\. Raise epochs"):
        run(tmp_path, epochs=4, resume="always")
    assert files(tmp_path) == before


RECIPE = {
    "learning_rate_schedule": "cosine",
    "warmup_epochs": 2,
    "weight_decay": 0.1,
    "max_gradient_norm": 0.05,
}


@pytest.mark.parametrize("killed_after", [1, 2, 4])
def test_schedule_weight_decay_and_clipping_go_on_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    run(tmp_path / "unbroken", epochs=5, **RECIPE)
    epochs = iter(range(1, 10))

    def killed(*_: Any) -> None:
        if next(epochs) == killed_after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingMetrics, "save_csv", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "killed", epochs=5, **RECIPE)
    run(tmp_path / "killed", epochs=5, resume="unfinished", **RECIPE)
    assert files(tmp_path / "killed") == files(tmp_path / "unbroken")
    run(tmp_path / "plain", epochs=5)
    assert files(tmp_path / "plain") != files(tmp_path / "unbroken")


def test_a_cosine_that_was_to_end_elsewhere_is_not_gone_on_with(tmp_path: Path) -> None:
    run(tmp_path, epochs=3, learning_rate_schedule="cosine")
    with pytest.raises(KellyError, match="epochs: checkpoint 3, now 6"):
        run(tmp_path, epochs=6, learning_rate_schedule="cosine", resume="always")


def test_every_epoch_is_one_to_go_on_from(tmp_path: Path) -> None:
    run(tmp_path / "unbroken", epochs=8, learning_rate=0.03, early_stopping_patience=3)
    for epochs in range(1, 9):
        run(tmp_path / "resumed", "never" if epochs == 1 else "always", epochs=epochs, learning_rate=0.03,
            early_stopping_patience=3)  # fmt: skip
    assert files(tmp_path / "resumed") == files(tmp_path / "unbroken")


def test_a_network_with_a_memory_goes_on_exactly(tmp_path: Path) -> None:
    task, parts = TASKS["emotionrecognizer"], small_data("emotionrecognizer")
    for folder, steps in (("unbroken", (4,)), ("resumed", (1, 2, 4))):
        for i, epochs in enumerate(steps):
            resume: Any = "always" if i else "never"
            train_model(task, settings(epochs=epochs), parts, {}, tmp_path / folder, resume=resume)
    assert files(tmp_path / "resumed") == files(tmp_path / "unbroken")


def test_going_on_asks_for_the_same_data_and_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path)
    task = TASKS["groovepredictor"]
    monkeypatch.setattr("kelly.training.train_model.code_hash", lambda: "another")
    with pytest.raises(KellyError) as error:
        train_model(task, settings(), small_data(), {"sha256": "9", "source": "groove"}, tmp_path, resume="always")
    for line in (
        "code: checkpoint ",
        "now another",
        "data.sha256: checkpoint 0, now 9",
        "data.source: checkpoint None",
    ):
        assert line in str(error.value)
    assert "Give the settings back their former values, or train afresh without --resume" in str(error.value)


def test_an_output_folder_that_is_removed_while_a_run_goes_on_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path / "unbroken")
    written = TrainingMetrics.save_csv

    def save_and_remove(metrics: TrainingMetrics, path: Path) -> None:
        written(metrics, path)
        if len(metrics) == 2 and (tmp_path / "removed").exists():
            shutil.rmtree(tmp_path / "removed")

    monkeypatch.setattr(TrainingMetrics, "save_csv", save_and_remove)
    run(tmp_path / "removed")
    assert "removed was removed while this run was writing to it; all is written again" in capsys.readouterr().out
    assert files(tmp_path / "removed") == files(tmp_path / "unbroken")


def test_a_second_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from kelly.runtime.locks import lock_models\n"
        "with lock_models(Path(sys.argv[1]), 'groovepredictor'): print('claimed', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "claimed\n"
        with pytest.raises(KellyError, match=r"another run is writing groovepredictor to .*; wait for it, stop it"):
            run(tmp_path)
        assert files(tmp_path) == {}
        other.kill()
    run(tmp_path)  # a run that was killed leaves nothing that would have to be removed
