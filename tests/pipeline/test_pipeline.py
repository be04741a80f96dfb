"""The real DVC on a copy of the project with small settings: what runs, what does not, what it leaves behind."""

import json
import signal
import sys
import time
from pathlib import Path

import pytest
from support.clone import SMALL, Clone, choose, ran

from kelly.pipeline.chains import LONGEST_FIRST
from kelly.runtime.locks import lock_models
from kelly.tasks import TASKS

PICTURES = ("loss", "metric", "predictions")

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A copy of the project with small settings."""
    return Clone(Path(__file__).parents[2], tmp_path_factory.mktemp("clone"), SMALL)


@pytest.fixture(scope="module")
def first_run(copy: Clone) -> str:
    """What the first run of the whole pipeline printed."""
    return copy.run("kelly", "repro", "--jobs", "2")


@pytest.fixture(scope="module")
def clone(copy: Clone, first_run: str) -> Clone:
    """A copy of the project in which the whole pipeline was run once and committed."""
    assert len(ran(first_run)) == 5 * len(TASKS) + 1
    copy.commit()
    return copy


def test_one_run_leaves_all_that_was_promised(clone: Clone) -> None:
    for name, task in TASKS.items():
        for path in (
            f"trained_models/{name}.json",
            f"trained_models/checkpoints/{name}_latest.pt",
            f"trained_models/checkpoints/{name}_best.pt",
            f"trained_models/history/{name}_history.json",
            f"trained_models/history/{name}_history.csv",
            *(f"trained_models/plots/{name}_{kind}.{ending}" for kind in PICTURES for ending in ("png", "svg")),
        ):
            assert (clone.folder / path).stat().st_size > 0, path
        scores = json.loads(clone.read(f"metrics/{name}.json"))[name]
        assert {"loss", "baseline_loss", "ridge_loss", "floor_loss", "skill", task.primary_metric} <= scores.keys()
        assert all(isinstance(value, int | float) for value in scores.values())
        assert ("stateful_loss" in scores) == task.is_recurrent
        if task.is_recurrent:
            assert scores["stateful_frames"] >= 2_000
        assert scores["parity_error"] < 1e-5
        assert f"| {task.title} | synthetic |" in clone.read("metrics/report.md")
        assert f'<h2 id="{name}">{task.title}</h2>' in clone.read("metrics/report.html")


def test_each_export_says_what_it_is(clone: Clone) -> None:
    registry = json.loads(clone.read("trained_models/registry.json"))["models"]
    commit = clone.run("git", "log", "-1", "--format=%H", "--", "kelly").strip()
    for name, task in TASKS.items():
        metadata = json.loads(clone.read(f"trained_models/{name}.json"))["metadata"]
        assert metadata["model"] == name
        assert metadata["num_parameters"] == task.num_parameters
        assert metadata["revision"] == commit
        assert metadata["params"]["epochs"] == 2
        assert metadata["data"]["source"] == "synthetic"
        assert metadata["inputs"][-1]["positions"][1] == task.num_inputs
        assert metadata["outputs"][-1]["positions"][1] == task.num_outputs
        assert metadata["test_scores"].keys() == {"loss", "baseline_loss", "skill", "floor_loss"}
        assert registry[name].items() >= metadata.items()


def test_a_second_run_does_nothing(clone: Clone) -> None:
    printed = clone.dvc("repro")
    assert ran(printed) == []
    assert "Data and pipelines are up to date." in printed


def test_networks_are_made_side_by_side_and_every_line_says_whose_it_is(clone: Clone, first_run: str) -> None:
    labels = [line.partition(" |")[0].strip() for line in first_run.splitlines()]
    assert set(labels[: labels.index("Running stage 'report':")]) == {task.label for task in TASKS.values()}
    first, second = labels[0], next(label for label in labels if label != labels[0])
    assert labels.index(second) < len(labels) - 1 - labels[::-1].index(first)  # the second began before the first ended
    assert clone.run("kelly", "repro") == "Data and pipelines are up to date.\n"


def test_a_network_that_fails_is_named_and_the_others_are_finished(clone: Clone) -> None:
    choose(clone.folder, {"models.groovepredictor.data.source": "midi", "models.dynamicsengine.epochs": 3})
    printed = clone.run("kelly", "repro", code=1)
    assert "error: stages of groovepredictor failed, as told above; the other networks are finished" in printed
    assert "Groove   | error: data/raw/midi: cannot be read" in printed
    assert json.loads(clone.read("metrics/dynamicsengine.json"))["dynamicsengine"]["epochs"] == 3
    assert "Traceback" not in printed
    clone.run("git", "checkout", "-q", ".")
    clone.dvc("repro")


def test_ctrl_c_ends_all_networks_at_once_and_the_same_command_goes_on(clone: Clone) -> None:
    clone.set("epochs: 2 ", "epochs: 4000 ")
    clone.set("early_stopping_patience: 10 ", "early_stopping_patience: 4000 ")
    started = clone.start("kelly", "repro", "--jobs", "2")
    histories = [clone.folder / f"trained_models/history/{name}_history.csv" for name in LONGEST_FIRST[:2]]
    while not all(path.exists() and len(path.read_text().splitlines()) > 5 for path in histories):
        assert started.poll() is None
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)  # to the command alone, which passes it on
    printed, _ = started.communicate()
    assert started.returncode == 130
    assert "interrupted: what was finished is kept; the same command goes on" in printed
    assert "Traceback" not in printed
    for name in LONGEST_FIRST[:2]:
        with lock_models(clone.folder / "trained_models", name):  # nobody is at work there any more
            pass
    clone.set("epochs: 4000 ", "epochs: 2 ")
    clone.set("early_stopping_patience: 4000 ", "early_stopping_patience: 10 ")
    clone.run("kelly", "repro")
    assert clone.run("git", "status", "--porcelain") == ""


def test_git_is_left_clean_and_large_files_stay_out(clone: Clone) -> None:
    assert clone.run("git", "status", "--porcelain") == ""
    sizes = [(clone.folder / name).stat().st_size for name in clone.run("git", "ls-files").split("\n") if name]
    assert max(sizes) < 1_000_000


def test_a_networks_own_setting_runs_that_network_only_and_going_back_trains_nothing(clone: Clone) -> None:
    clone.set("  groovepredictor:\n    epochs: null", "  groovepredictor:\n    epochs: 3")
    assert ran(clone.dvc("repro")) == [
        "train@groovepredictor",
        "export@groovepredictor",
        "evaluate@groovepredictor",
        "report",
    ]
    assert json.loads(clone.read("trained_models/history/groovepredictor_history.json"))["epoch"] == [1, 2, 3]
    clone.run("git", "checkout", "-q", "params.yaml")
    printed = clone.dvc("repro")
    assert "train@groovepredictor" not in ran(printed)
    assert "Stage 'train@groovepredictor' is cached - skipping run" in printed
    assert clone.run("git", "status", "--porcelain") == ""


def test_an_experiment_can_be_compared_with_what_is_committed(clone: Clone) -> None:
    printed = clone.dvc("exp", "run", "-n", "short", "-S", "models.harmonypredictor.epochs=1")
    assert [stage for stage in ran(printed) if stage.startswith("train@")] == ["train@harmonypredictor"]
    difference = json.loads(clone.dvc("metrics", "diff", "--json"))["metrics/harmonypredictor.json"]
    change = difference["harmonypredictor.epochs"]
    assert (change["old"], change["new"]) == (2, 1)
    assert "harmonypredictor.loss" in difference
    clone.dvc("plots", "diff", "--out", "comparison")
    page = clone.read("comparison/index.html")
    for name in TASKS:
        assert f"{name}_loss" in page
        assert f"{name}_metric" in page
        assert f"{name}_predictions.png" in page
    assert 'src="http' not in page  # made by kelly repro with Vega in it
    assert "short" in clone.dvc("exp", "show", "--csv")
    clone.run("git", "checkout", "-q", ".")
    assert [stage for stage in ran(clone.dvc("repro")) if stage.startswith("train@")] == []


def test_a_shared_setting_runs_all_networks(clone: Clone) -> None:
    clone.set("epochs: 2 ", "epochs: 1 ")
    would = ran(clone.dvc("repro", "--dry"))
    assert sorted(stage for stage in would if stage.startswith("train@")) == sorted(f"train@{name}" for name in TASKS)
    clone.run("git", "checkout", "-q", ".")


def test_a_mistake_in_the_settings_stops_before_any_work(clone: Clone) -> None:
    clone.set("early_stopping_patience: 10 ", "early_stopping_patience: 0 ")
    before = {path: path.stat().st_mtime_ns for path in (clone.folder / "trained_models").glob("*.json")}
    printed = clone.dvc("repro", code=255)
    assert "early_stopping_patience: found 0, expected greater than or equal to 1" in printed
    assert "Traceback" not in printed
    assert {path: path.stat().st_mtime_ns for path in before} == before
    clone.run("git", "checkout", "-q", "params.yaml")


def test_an_export_that_lost_a_layer_is_not_scored(clone: Clone) -> None:
    path = clone.folder / "trained_models/groovepredictor.json"
    whole = path.read_bytes()
    content = json.loads(whole)
    content["layers"].pop()
    path.write_text(json.dumps(content))
    scored = clone.start(sys.executable, "-m", "stages.evaluate", "groovepredictor")
    printed, _ = scored.communicate()
    assert scored.returncode == 1
    assert printed.splitlines()[-1].startswith(
        "error: groovepredictor.json has 64 inputs and 64 outputs, expected 64 inputs and 32 outputs"
    )
    path.write_bytes(whole)


def test_a_run_that_was_killed_goes_on_and_ends_like_an_unbroken_one(clone: Clone) -> None:
    clone.set("  groovepredictor:\n    epochs: null", "  groovepredictor:\n    epochs: 200")
    clone.set("early_stopping_patience: 10 ", "early_stopping_patience: 200 ")
    history = clone.folder / "trained_models/history/groovepredictor_history.csv"

    def reached() -> bool:
        return history.exists() and 5 < len(history.read_text().splitlines()) < 150

    clone.kill_when(reached, "dvc", "repro", "train@groovepredictor")
    assert "GroovePredictor: going on after epoch " in clone.dvc("repro", "train@groovepredictor")
    names = (
        "checkpoints/groovepredictor_best.pt",
        "history/groovepredictor_history.csv",
        "plots/groovepredictor_loss.png",
    )
    resumed = [(clone.folder / "trained_models" / name).read_bytes() for name in names]
    assert "going on" not in clone.dvc("repro", "-f", "-s", "train@groovepredictor")
    assert [(clone.folder / "trained_models" / name).read_bytes() for name in names] == resumed
    clone.run("git", "checkout", "-q", ".")
    clone.dvc("repro")


def test_the_same_seed_gives_the_same_bytes_in_another_folder(clone: Clone, tmp_path: Path) -> None:
    other = Clone(clone.folder, tmp_path, {})
    other.dvc("repro", "train@dynamicsengine")
    for name in ("checkpoints/dynamicsengine_best.pt", "history/dynamicsengine_history.csv"):
        ours, theirs = (c.folder / "trained_models" / name for c in (clone, other))
        assert ours.read_bytes() == theirs.read_bytes(), name
