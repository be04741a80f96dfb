"""Searches that are killed at any call of their database, and databases that are not what they should be."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage

from kelly.config.params import TaskConfig
from kelly.experiments import search as search_module
from kelly.experiments import search_results, study_storage
from kelly.experiments.search import Search
from kelly.experiments.search_results import search
from kelly.runtime.errors import KellyError
from kelly.training.history import TrainingMetrics

OUTPUT = Path("experiments")
DATABASE = OUTPUT / "groovepredictor/study.db"
WRITES = (
    "create_new_study", "create_new_trial", "set_study_user_attr", "set_trial_param", "set_trial_state_values",
    "set_trial_intermediate_value", "set_trial_user_attr", "set_trial_system_attr",
)  # fmt: skip


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials that do not train: the loss depends on the settings alone."""

    def train(_task: Any, training: Any, _views: Any, _data: Any, folder: Path, run: Any, **_: Any) -> TrainingMetrics:
        metrics = TrainingMetrics()
        folder.mkdir(parents=True, exist_ok=True)
        for epoch in (1, 2):
            metrics.columns["epoch"].append(epoch)
            metrics.columns["val_loss"].append(training.learning_rate / epoch + training.batch_size)
            run.after_epoch(metrics)
        return metrics

    monkeypatch.setattr(search_module, "train_model", train)
    monkeypatch.setattr(search_results, "draw", lambda *_: None)


def trials(output: Path) -> list[tuple[Any, ...]]:
    storage = f"sqlite:///{output / 'groovepredictor/study.db'}"
    study = optuna.load_study(study_name="groovepredictor", storage=storage)
    ended = study.get_trials(states=study_storage.ENDED)
    return [(trial.user_attrs["settings"], trial.value, trial.intermediate_values) for trial in ended]


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_search_that_is_killed_at_any_call_of_its_database_ends_with_the_same_trials(
    config: TaskConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Iterator[int] = iter(range(10_000))
    kill_at = -1

    def killing(write: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            if next(calls) == kill_at:
                raise KeyboardInterrupt
            return write(*arguments, **keywords)

        return call

    for name in WRITES:
        monkeypatch.setattr(RDBStorage, name, killing(getattr(RDBStorage, name)))
    search(config, 2, Path("unbroken"), num_jobs=1)
    num_calls = next(calls)
    assert num_calls > 20
    expected = trials(Path("unbroken"))
    for kill_at in range(num_calls):
        output = Path(f"killed{kill_at}")
        calls = iter(range(10_000))
        with pytest.raises(KeyboardInterrupt):
            search(config, 2, output, num_jobs=1)
        calls = iter(range(10_000, 20_000))
        search(config, 2, output, num_jobs=1)
        assert trials(output) == expected, kill_at
        assert not list(output.glob("groovepredictor/trial*"))


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ("nonsense", "nonsense is not a URL"),
        ("postgresql:user:secret@host/name", "postgresql… is not a URL"),
        ("postgresql://user:secret@host:port/name", "postgresql… is not a URL"),
        ("user:secret@host:5432/", "user… is not a URL"),
        ("nosuch://user:secret@host/name", "expected the URL"),
        ("oracle://user:secret@localhost/x", "No module named 'oracledb'"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///file:m?mode=memory&uri=true", "in memory"),
        ("postgresql://user:secret@tail@127.0.0.1:1/name", "has more than one @"),
        ("", "is not a URL"),
        ("sqlite:///params.yaml", "file is not a database"),
    ],
)
def test_a_database_that_cannot_be_opened_is_an_error_without_the_password(
    config: TaskConfig, storage: str, message: str
) -> None:
    with pytest.raises(KellyError, match=message) as error:
        search(config, 1, OUTPUT, num_jobs=1, storage=storage)
    assert "secret" not in str(error.value) + repr(Search(config, OUTPUT, storage))
    assert "expected the URL of a database" in str(error.value)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trial_user_attributes SET value_json = 'null' WHERE key = 'settings'",
        "UPDATE trial_user_attributes SET value_json = '[1]' WHERE key = 'settings'",
        "UPDATE trial_user_attributes SET value_json = '{' WHERE key = 'settings'",
        "DELETE FROM trial_user_attributes",
        "UPDATE trial_user_attributes SET value_json = '\"2\"' WHERE key = 'best_epoch'",
        "UPDATE study_user_attributes SET value_json = '3' WHERE key = 'fingerprint'",
        "UPDATE study_user_attributes SET value_json = '{' WHERE key = 'fingerprint'",
        "UPDATE study_directions SET direction = 'MAXIMIZE'",
        "DELETE FROM trial_values",
        "UPDATE trial_params SET distribution_json = '{'",
        "DROP TABLE trial_params",
        "UPDATE alembic_version SET version_num = 'v9'",
    ],
)
def test_a_damaged_study_is_an_error_before_anything_is_trained(
    config: TaskConfig, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    search(config, 2, OUTPUT, num_jobs=1)
    with sqlite3.connect(DATABASE) as database:
        database.execute(statement)
    database.close()
    monkeypatch.setattr(search_module, "run_trial", lambda *_: pytest.fail("trained"))
    with pytest.raises(KellyError, match="the study at sqlite:///"):
        search(config, 3, OUTPUT, num_jobs=1)


def test_a_study_that_another_program_made_is_an_error(config: TaskConfig) -> None:
    DATABASE.parent.mkdir(parents=True)
    study = optuna.create_study(study_name="groovepredictor", storage=f"sqlite:///{DATABASE}")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    with pytest.raises(KellyError, match="trial 0 has the settings None"):
        search(config, 3, OUTPUT, num_jobs=1)


def test_a_database_of_another_program_stays_as_it_is(config: TaskConfig) -> None:
    DATABASE.parent.mkdir(parents=True)
    with sqlite3.connect(DATABASE) as database:
        database.execute("CREATE TABLE songs (name TEXT)")
    database.close()
    before = DATABASE.read_bytes()
    with pytest.raises(KellyError, match="the tables songs of another program"):
        search(config, 3, OUTPUT, num_jobs=1)
    assert DATABASE.read_bytes() == before


@pytest.mark.usefixtures("quick")
def test_a_folder_that_a_database_names_is_not_removed(config: TaskConfig, tmp_path: Path) -> None:
    search(config, 1, OUTPUT, num_jobs=1)
    victim = tmp_path / "victim/trial0001"
    victim.mkdir(parents=True)
    study = optuna.load_study(study_name="groovepredictor", storage=f"sqlite:///{DATABASE}")
    values = study.trials[0].params
    study.enqueue_trial(values, user_attrs={"folder": str(victim)})
    search(config, 2, OUTPUT, num_jobs=1)
    assert victim.exists()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("begin", ["BEGIN EXCLUSIVE", "BEGIN IMMEDIATE"])
def test_a_locked_database_is_told_soon(config: TaskConfig, monkeypatch: pytest.MonkeyPatch, begin: str) -> None:
    monkeypatch.setattr(study_storage, "TIMEOUT_S", 0.2)
    search(config, 1, OUTPUT, num_jobs=1)
    database = sqlite3.connect(DATABASE)
    database.execute(begin)
    with pytest.raises(KellyError, match=r"was locked by another program for 0\.2 s; close that program"):
        search(config, 2, OUTPUT, num_jobs=1)
    database.close()


@pytest.mark.usefixtures("quick")
def test_folders_of_trials_that_ended_are_removed(config: TaskConfig) -> None:
    search(config, 1, OUTPUT, num_jobs=1)
    left = OUTPUT / "groovepredictor/trial0000"
    (left / "checkpoints").mkdir(parents=True)
    search(config, 2, OUTPUT, num_jobs=1)
    assert not left.exists()
