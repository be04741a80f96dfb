"""Searching settings: what is tried, what survives a kill, what is refused."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest
from support.small_project import prepared

from kelly.config.params import PARAMS_FILE, TaskConfig, load
from kelly.data.loading import DATA, open_splits
from kelly.experiments import search as searching
from kelly.experiments import search_space
from kelly.experiments.search import Search, ended, used
from kelly.experiments.search_results import put_into, search
from kelly.runtime.errors import KellyError
from kelly.training.train_model import best_epoch, train_model

OUTPUT = Path("experiments")
HOLD = """
import sys, time
from pathlib import Path
from kelly.runtime.locks import lock_models
with lock_models(Path(sys.argv[1]), "groovepredictor"):
    print("h", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def settings(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskConfig:
    monkeypatch.chdir(tmp_path)
    return prepared(project)


def study(settings: TaskConfig, output: Path = OUTPUT) -> optuna.Study:
    name = settings.task.name
    return optuna.load_study(study_name=name, storage=f"sqlite:///{output / name / 'study.db'}")


def found(settings: TaskConfig, output: Path = OUTPUT) -> list[tuple[dict[str, Any], float | None]]:
    return [(used(trial), trial.value) for trial in ended(study(settings, output))]


def test_the_present_settings_are_tried_first_and_the_best_is_told(
    settings: TaskConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    search(settings, 4, OUTPUT, num_jobs=1)
    trials = found(settings)
    assert len(trials) == 4
    assert trials[0][0] == search_space.present(settings, search_space.spaces(settings.search, 2))
    best = study(settings).best_trial
    printed = capsys.readouterr().out
    assert f"present settings  {trials[0][1]:.6f}" in printed
    assert f"best, trial {best.number}" in printed
    assert f"dvc exp run -S models.groovepredictor.learning_rate={used(best)['learning_rate']}" in printed
    assert (OUTPUT / "groovepredictor/search.png").stat().st_size > 10_000
    assert not list(OUTPUT.glob("groovepredictor/trial*"))


def test_a_trial_trains_what_the_pipeline_trains_with_its_settings(settings: TaskConfig) -> None:
    search(settings, 3, OUTPUT, num_jobs=1, prune=False)
    values, loss = found(settings)[2]
    sides, data = open_splits(settings, DATA)
    history = train_model(
        settings.task, search_space.with_values(settings, values), sides, data, Path("alone")
    ).to_dict()
    assert history["val_loss"][best_epoch(history) - 1] == loss


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_an_interrupted_search_goes_on_and_finds_what_an_unbroken_one_does(
    settings: TaskConfig, sampler: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    search(settings, 4, Path("unbroken"), sampler=sampler, num_jobs=1)
    calls = iter(range(100))

    def killed(*_: Any) -> None:
        if next(calls) == 3:  # in the midst of the second trial of two epochs each
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(searching, "stop_if_orphaned", killed)
        with pytest.raises(KeyboardInterrupt):
            search(settings, 4, OUTPUT, sampler=sampler, num_jobs=1)
    assert len(found(settings)) == 1
    assert list(OUTPUT.glob("groovepredictor/trial0001"))
    search(settings, 4, OUTPUT, sampler=sampler, num_jobs=1)
    assert found(settings) == found(settings, Path("unbroken"))
    assert not list(OUTPUT.glob("groovepredictor/trial*"))


@pytest.mark.pipeline
def test_processes_that_train_end_where_the_command_was_killed(settings: TaskConfig) -> None:
    text = PARAMS_FILE.read_text().replace("epochs: 2 ", "epochs: 90000 ")
    PARAMS_FILE.write_text(text.replace("early_stopping_patience: 10 ", "early_stopping_patience: 90000 "))
    arguments = ["search", "--model", settings.task.name, "--jobs", "2", "--no-pruning", "--output", str(OUTPUT)]
    command = subprocess.Popen([sys.executable, "-c", "from kelly.commands import main; main()", *arguments])
    while len(list(OUTPUT.glob("*/trial*/checkpoints/*_latest.pt"))) < 2:
        assert command.poll() is None
        time.sleep(0.1)
    trained_by = psutil.Process(command.pid).children(recursive=True)
    command.kill()
    command.wait()
    _, alive = psutil.wait_procs(trained_by, timeout=60)
    assert not alive


def test_two_processes_share_a_study(settings: TaskConfig) -> None:
    search(settings, 6, OUTPUT, num_jobs=2)
    assert len(found(settings)) == 6


def test_two_folders_share_a_study_and_take_nothing_from_each_other(settings: TaskConfig) -> None:
    storage = "sqlite:///shared.db"
    search(settings, 1, Path("a"), num_jobs=1, storage=storage)
    shared = optuna.load_study(study_name="groovepredictor", storage=storage)
    running = shared.ask(search_space.spaces(settings.search, 2))
    at = Path("a/groovepredictor/trial0001").resolve()
    running.set_user_attr("folder", str(at))
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(at)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    with holder:
        assert holder.stdout.read(1) == b"h"
        search(settings, 2, Path("b"), num_jobs=1, storage=storage)  # the second is at work elsewhere
        assert shared.trials[running.number].state is optuna.trial.TrialState.RUNNING
        holder.kill()
    search(settings, 3, Path("b"), num_jobs=1, storage=storage)  # nobody is any more
    assert shared.trials[running.number].state is optuna.trial.TrialState.FAIL
    assert len(ended(shared)) == 3


def test_a_trial_that_was_killed_as_it_was_given_out_is_not_lost(settings: TaskConfig) -> None:
    folder = OUTPUT / "groovepredictor"
    folder.mkdir(parents=True)
    begun = Search(settings, folder, f"sqlite:///{folder / 'study.db'}")
    begun.begin()
    begun.study().ask()  # and killed before it was told what to try
    search(settings, 2, OUTPUT, num_jobs=1)
    assert found(settings)[0][0] == search_space.present(settings, begun.spaces)
    assert len(found(settings)) == 2


def test_data_that_the_settings_no_longer_describe_is_not_searched_with(settings: TaskConfig) -> None:
    other = replace(settings, data={**settings.data, "num_sequences": 300})
    with pytest.raises(
        KellyError, match=r"made with other settings than params\.yaml has now; bring it up to date: dvc"
    ):
        search(other, 2, OUTPUT, num_jobs=1)
    divided = replace(settings, splitting=settings.splitting.model_copy(update={"seed": 7}))
    with pytest.raises(KellyError, match=r"was divided otherwise than params\.yaml says now"):
        search(divided, 2, OUTPUT, num_jobs=1)


def test_settings_that_diverge_are_told_and_passed_over(
    settings: TaskConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    wild = replace(settings, search={"learning_rate": {"choices": [0.001, 900.0]}})
    search(wild, 4, OUTPUT, num_jobs=1)
    assert "diverged" in capsys.readouterr().out
    assert used(study(wild).best_trial) == {"learning_rate": 0.001}


def test_a_search_of_which_nothing_came_says_so(settings: TaskConfig) -> None:
    wild = replace(settings, search={"learning_rate": {"choices": [900.0]}})
    with pytest.raises(KellyError, match="none of 2 trials of GroovePredictor came to its end"):
        search(wild, 2, OUTPUT, num_jobs=1)


def test_a_study_of_other_settings_is_not_gone_on_with(settings: TaskConfig) -> None:
    search(settings, 1, OUTPUT, num_jobs=1)
    changed = replace(settings, training=settings.training.model_copy(update={"epochs": 3}))
    with pytest.raises(KellyError, match="epochs: study 2, now 3"):
        search(changed, 2, OUTPUT, num_jobs=1)
    other = replace(settings, search={**settings.search, "warmup_epochs": {"low": 0, "high": 1}})
    with pytest.raises(KellyError, match=r"search\.warmup_epochs: study None, now IntDistribution"):
        search(other, 2, OUTPUT, num_jobs=1)
    assert len(found(settings)) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"epochs": {"low": 1, "high": 2}}, "search.epochs: cannot be searched; known here: batch_size"),
        ({"learning_rate": {"low": 0.1}}, "expected low and high, or choices"),
        ({"learning_rate": {"low": 0.1, "high": 0.01}}, "expected a low that is less than high"),
        ({"learning_rate": {"low": 0, "high": 0.01, "log": True}}, "expected a low above 0"),
        ({"learning_rate": {"low": -1.0, "high": 0.01}}, "found -1.0, expected greater than 0"),
        ({"batch_size": {"choices": [16, 1.5]}}, "found 1.5"),
        ({"learning_rate_schedule": {"choices": ["constant", "linear"]}}, "found 'linear'"),
        ({"learning_rate": 0.1}, "search.learning_rate: found 0.1, expected low and high, or choices"),
        ({"learning_rate": {"low": 0.1, "hihg": 1}}, "unknown key 'hihg'; known here: low, high, log, choices"),
        ({"learning_rate": {"choices": [None]}}, "found None, expected choices that are numbers or words"),
        ({"learning_rate": {"choices": []}}, "found [], expected choices that are numbers or words, one at least"),
        ({"learning_rate": {"low": "a", "high": 1}}, "low is 'a', expected a number"),
        ({"warmup_epochs": {"low": 0, "high": 2}}, "search.warmup_epochs: found 2, expected fewer than epochs, 2"),
        ({}, "names no setting"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused(
    settings: TaskConfig, content: dict[str, Any], message: str
) -> None:
    with pytest.raises(KellyError) as error:
        search(replace(settings, search=content), 1, OUTPUT)
    assert message in str(error.value)
    assert not OUTPUT.exists()


def test_whole_numbers_are_drawn_whole() -> None:
    one = search_space.spaces({"batch_size": {"low": 8, "high": 128, "log": True}}, 50)["batch_size"]
    assert one == optuna.distributions.IntDistribution(8, 128, log=True)


def test_what_is_drawn_has_digits_that_can_be_typed_and_what_is_listed_stays(settings: TaskConfig) -> None:
    ranges = search_space.spaces(
        {"learning_rate": {"low": 0.0001, "high": 0.1}, "batch_size": {"low": 8, "high": 99}}, 2
    )
    drawn = {"learning_rate": 0.00123456, "batch_size": 17}
    assert search_space.rounded(drawn, ranges, but=()) == {"learning_rate": 0.00123, "batch_size": 17}
    assert search_space.rounded(drawn, ranges, but=("learning_rate",)) == drawn
    odd = {"learning_rate": {"choices": [0.0012345, 0.0023456]}}
    search(replace(settings, search=odd), 3, OUTPUT, num_jobs=1)
    assert {values["learning_rate"] for values, _ in found(settings)} <= {0.0012345, 0.0023456}
    assert (OUTPUT / "groovepredictor/search.png").exists()


def test_the_best_is_written_where_that_is_asked_for_and_nothing_else(settings: TaskConfig) -> None:
    before = PARAMS_FILE.read_text().splitlines()
    search(settings, 3, OUTPUT, num_jobs=1, write=True)
    after = PARAMS_FILE.read_text().splitlines()
    changed = {line.strip().split(":")[0] for line, was in zip(after, before, strict=True) if line != was}
    assert changed <= settings.search.keys()
    assert load()["groovepredictor"].training == search_space.with_values(settings, used(study(settings).best_trial))
    assert load()["emotionrecognizer"].training == load()["dynamicsengine"].training


def test_settings_that_would_break_the_file_are_not_written(settings: TaskConfig) -> None:
    before = PARAMS_FILE.read_text()
    with pytest.raises(KellyError, match=r"models\.groovepredictor\.batch_size: found -1"):
        put_into(PARAMS_FILE, "groovepredictor", {"batch_size": -1})
    assert PARAMS_FILE.read_text() == before
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["data", "params.yaml"]


@pytest.mark.parametrize("storage", ["nonsense", "oracle://nobody@localhost/x", None])
def test_a_database_that_cannot_be_opened_is_told(settings: TaskConfig, storage: str | None) -> None:
    if storage is None:
        (OUTPUT / "groovepredictor").mkdir(parents=True)
        (OUTPUT / "groovepredictor/study.db").write_bytes(b"no database" * 1000)
    with pytest.raises(KellyError, match="cannot be opened"):
        search(settings, 1, OUTPUT, num_jobs=1, storage=storage)


@pytest.mark.parametrize(("trials", "jobs"), [(0, 1), (1, 0)])
def test_numbers_below_one_are_refused(settings: TaskConfig, trials: int, jobs: int) -> None:
    with pytest.raises(KellyError, match="expected 1 or more"):
        search(settings, trials, OUTPUT, num_jobs=jobs)
