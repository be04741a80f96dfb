"""Searching settings: what is tried, pruned, resumed and reported."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest

from kelly.config.params import PARAMS_FILE, TaskConfig, load
from kelly.data.loading import DATA, open_splits
from kelly.experiments import search_space
from kelly.experiments.search import ReportLosses, Search, ended, used
from kelly.experiments.search_results import search
from kelly.runtime.errors import KellyError
from kelly.training.history import TrainingMetrics
from kelly.training.train_model import best_epoch, train_model

pytestmark = pytest.mark.slow

OUTPUT = Path("experiments")
LOCK = """
import sys, time
from pathlib import Path
from kelly.runtime.locks import lock_models
with lock_models(Path(sys.argv[1]), "groovepredictor"):
    print("h", flush=True)
    time.sleep(600)
"""


def load_study(output: Path = OUTPUT) -> optuna.Study:
    storage = f"sqlite:///{output / 'groovepredictor/study.db'}"
    return optuna.load_study(study_name="groovepredictor", storage=storage)


def trials(output: Path = OUTPUT) -> list[tuple[dict[str, Any], float | None]]:
    return [(used(trial), trial.value) for trial in ended(load_study(output))]


def test_the_current_settings_are_tried_first_and_the_best_reported_and_written(
    config: TaskConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    search(config, 3, OUTPUT, num_jobs=1, write=True)
    assert len(trials()) == 3
    settings, loss = trials()[0]
    assert settings == search_space.current(config, search_space.spaces(config.search, 2))
    best = load_study().best_trial
    printed = capsys.readouterr().out
    assert f"current settings  {loss:.6f}" in printed
    assert f"best, trial {best.number}" in printed
    assert f"dvc exp run -S models.groovepredictor.learning_rate={used(best)['learning_rate']}" in printed
    assert load()["groovepredictor"].training == search_space.with_values(config, used(best))
    assert (OUTPUT / "groovepredictor/search.png").stat().st_size > 10_000
    assert not list(OUTPUT.glob("groovepredictor/trial*"))


def test_a_trial_trains_the_same_as_the_pipeline_with_its_settings(config: TaskConfig) -> None:
    search(config, 2, OUTPUT, sampler="random", num_jobs=1, prune=False)
    values, loss = trials()[1]
    views, data = open_splits(config, DATA)
    history = train_model(config.task, search_space.with_values(config, values), views, data, Path("alone")).to_dict()
    assert history["val_loss"][best_epoch(history) - 1] == loss


def test_an_interrupted_search_resumes_to_the_same_results(config: TaskConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    search(config, 3, Path("uninterrupted"), num_jobs=1)
    calls, report = iter(range(100)), ReportLosses.__call__

    def interrupt(self: ReportLosses, metrics: TrainingMetrics) -> None:
        if next(calls) == 3:  # in the middle of the second trial; each has two epochs
            raise KeyboardInterrupt
        report(self, metrics)

    with monkeypatch.context() as patch:
        patch.setattr(ReportLosses, "__call__", interrupt)
        with pytest.raises(KeyboardInterrupt):
            search(config, 3, OUTPUT, num_jobs=1)
    assert len(trials()) == 1
    assert list(OUTPUT.glob("groovepredictor/trial0001"))
    search(config, 3, OUTPUT, num_jobs=1)
    assert trials() == trials(Path("uninterrupted"))
    assert not list(OUTPUT.glob("groovepredictor/trial*"))


@pytest.mark.pipeline
def test_workers_exit_when_the_command_is_killed(config: TaskConfig) -> None:
    text = PARAMS_FILE.read_text().replace("epochs: 2 ", "epochs: 90000 ")
    PARAMS_FILE.write_text(text.replace("early_stopping_patience: 10 ", "early_stopping_patience: 90000 "))
    arguments = ["search", "--model", config.task.name, "--jobs", "2", "--no-pruning", "--output", str(OUTPUT)]
    command = subprocess.Popen([sys.executable, "-c", "from kelly.commands.main import main; main()", *arguments])
    while len(list(OUTPUT.glob("*/trial*/checkpoints/*_latest.pt"))) < 2:
        assert command.poll() is None
        time.sleep(0.1)
    workers = psutil.Process(command.pid).children(recursive=True)
    command.kill()
    command.wait()
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert not alive


def test_two_processes_share_a_study(config: TaskConfig) -> None:
    search(config, 4, OUTPUT, num_jobs=2)
    assert len(trials()) == 4


def test_a_running_trial_of_another_folder_is_left_alone_until_its_process_ends(config: TaskConfig) -> None:
    storage = "sqlite:///shared.db"
    search(config, 1, Path("a"), num_jobs=1, storage=storage)
    shared = optuna.load_study(study_name="groovepredictor", storage=storage)
    running = shared.ask(search_space.spaces(config.search, 2))
    folder = Path("a/groovepredictor/trial0001").resolve()
    running.set_user_attr("folder", str(folder))
    process = subprocess.Popen([sys.executable, "-c", LOCK, str(folder)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process:
        assert process.stdout.read(1) == b"h"
        search(config, 2, Path("b"), num_jobs=1, storage=storage)
        assert shared.trials[running.number].state is optuna.trial.TrialState.RUNNING
        process.kill()
    search(config, 3, Path("b"), num_jobs=1, storage=storage)
    assert shared.trials[running.number].state is optuna.trial.TrialState.FAIL
    assert len(ended(shared)) == 3


def test_a_trial_that_was_killed_as_it_started_is_queued_again(config: TaskConfig) -> None:
    folder = OUTPUT / "groovepredictor"
    folder.mkdir(parents=True)
    killed = Search(config, folder, f"sqlite:///{folder / 'study.db'}")
    killed.begin()
    killed.study().ask()  # and killed before it has settings
    search(config, 2, OUTPUT, num_jobs=1)
    assert trials()[0][0] == search_space.current(config, killed.spaces)
    assert len(trials()) == 2


@pytest.mark.parametrize("outdated", ["data", "splits"])
def test_outdated_data_and_splits_are_rejected(config: TaskConfig, outdated: str) -> None:
    other = (
        replace(config, data={**config.data, "num_sequences": 300})
        if outdated == "data"
        else replace(config, splitting=config.splitting.model_copy(update={"seed": 7}))
    )
    with pytest.raises(KellyError, match=rf"the {outdated} of .* dvc repro (-f )?split@groovepredictor"):
        search(other, 2, OUTPUT, num_jobs=1)


def test_diverging_settings_are_reported_and_never_best(config: TaskConfig, capsys: pytest.CaptureFixture[str]) -> None:
    search(replace(config, search={"learning_rate": {"choices": [0.001, 900.0]}}), 4, OUTPUT, num_jobs=1)
    assert "diverged" in capsys.readouterr().out
    assert used(load_study().best_trial) == {"learning_rate": 0.001}


def test_a_search_without_a_completed_trial_is_an_error(config: TaskConfig) -> None:
    with pytest.raises(KellyError, match="none of 2 trials of GroovePredictor completed"):
        search(replace(config, search={"learning_rate": {"choices": [900.0]}}), 2, OUTPUT, num_jobs=1)


def test_a_study_of_other_settings_is_not_resumed(config: TaskConfig) -> None:
    search(config, 1, OUTPUT, num_jobs=1)
    changed = replace(config, training=config.training.model_copy(update={"epochs": 3}))
    with pytest.raises(KellyError, match="epochs: study 2, now 3"):
        search(changed, 2, OUTPUT, num_jobs=1)
    other = replace(config, search={**config.search, "warmup_epochs": {"low": 0, "high": 1}})
    with pytest.raises(KellyError, match=r"search\.warmup_epochs: study None, now IntDistribution"):
        search(other, 2, OUTPUT, num_jobs=1)
    assert len(trials()) == 1


@pytest.mark.parametrize("storage", ["nonsense", "oracle://nobody@localhost/x", None])
def test_a_database_that_cannot_be_opened_is_an_error(config: TaskConfig, storage: str | None) -> None:
    if storage is None:
        (OUTPUT / "groovepredictor").mkdir(parents=True)
        (OUTPUT / "groovepredictor/study.db").write_bytes(b"no database" * 1000)
    with pytest.raises(KellyError, match="expected the URL of a database"):
        search(config, 1, OUTPUT, num_jobs=1, storage=storage)


@pytest.mark.parametrize(("num_trials", "num_jobs"), [(0, 1), (1, 0)])
def test_numbers_below_one_are_rejected(config: TaskConfig, num_trials: int, num_jobs: int) -> None:
    with pytest.raises(KellyError, match="expected 1 or more"):
        search(config, num_trials, OUTPUT, num_jobs=num_jobs)
