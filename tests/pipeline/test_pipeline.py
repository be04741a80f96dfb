"""The real DVC on a copy of the project with small settings: what runs, what does not, and what it leaves behind."""

import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.clone import Clone, choose, ran

from kelly.pipeline.chains import LONGEST_FIRST
from kelly.runtime.locks import lock_models
from kelly.tasks import TASKS

PLOTS = ("loss", "metric", "predictions")

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def clone(finished_clone: Callable[[Path], Clone], tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A copy of the project in which the whole pipeline was run once and committed."""
    return finished_clone(tmp_path_factory.mktemp("clone"))


@pytest.fixture
def restored(clone: Clone) -> Clone:
    """The same, as it was committed."""
    clone.run("git", "checkout", "-q", ".")
    clone.dvc("checkout", "-q")
    return clone


def changed_stages(clone: Clone) -> set[str]:
    return set(json.loads(clone.dvc("status", "--json").splitlines()[-1]))


def of_all(*stages: str) -> set[str]:
    return {f"{stage}@{name}" for stage in stages for name in TASKS}


def test_one_run_leaves_all_that_was_promised(clone: Clone, finished_clone: Callable[[Path], Clone]) -> None:
    first_run = finished_clone.log.read_text()  # type: ignore[attr-defined]
    assert len(ran(first_run)) == 5 * len(TASKS) + 1
    for name, task in TASKS.items():
        for path in (
            f"trained_models/{name}.json",
            f"trained_models/checkpoints/{name}_latest.pt",
            f"trained_models/checkpoints/{name}_best.pt",
            f"trained_models/history/{name}_history.json",
            f"trained_models/history/{name}_history.csv",
            *(f"trained_models/plots/{name}_{kind}.{suffix}" for kind in PLOTS for suffix in ("png", "svg")),
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


def test_each_export_describes_itself(clone: Clone) -> None:
    registry = json.loads(clone.read("trained_models/registry.json"))["models"]
    for name, task in TASKS.items():
        metadata = json.loads(clone.read(f"trained_models/{name}.json"))["metadata"]
        assert metadata["model"] == name
        assert metadata["num_parameters"] == task.num_parameters
        assert len(metadata["revision"]) == 40
        assert metadata["params"]["epochs"] == 2
        assert metadata["data"]["source"] == "synthetic"
        assert metadata["inputs"][-1]["positions"][1] == task.num_inputs
        assert metadata["outputs"][-1]["positions"][1] == task.num_outputs
        assert registry[name].items() >= metadata.items()
        assert registry[name]["test_scores"].keys() == {"loss", "baseline_loss", "skill", "floor_loss"}


def test_a_second_run_does_nothing_and_git_stays_clean(restored: Clone) -> None:
    assert "Data and pipelines are up to date." in restored.dvc("repro")
    assert restored.run("kelly", "repro") == "Data and pipelines are up to date.\n"
    assert restored.run("git", "status", "--porcelain") == ""
    names = filter(None, restored.run("git", "ls-files").split("\n"))
    assert max((restored.folder / name).stat().st_size for name in names) < 1_000_000


def test_networks_run_side_by_side_and_every_line_has_the_label_of_its_network(
    finished_clone: Callable[[Path], Clone],
) -> None:
    first_run = finished_clone.log.read_text()  # type: ignore[attr-defined]
    labels = [line.partition(" |")[0].strip() for line in first_run.splitlines()]
    assert set(labels[: labels.index("Running stage 'report':")]) == {task.label for task in TASKS.values()}
    first, second = labels[0], next(label for label in labels if label != labels[0])
    assert labels.index(second) < len(labels) - 1 - labels[::-1].index(first)  # it began before the first ended


@pytest.mark.parametrize(
    ("path", "before", "after", "expected"),
    [
        ("kelly/runtime/console.py", "out of memory", "no memory left", set()),
        ("kelly/config/messages.py", "did you mean", "perhaps", {"report"}),
        ("kelly/report/page.css", "", "/* wider */\n", {"report"}),
        ("kelly/plots/style.py", "DPI = 110", "DPI = 120", of_all("evaluate")),
        ("params.yaml", "    data:\n      source: synthetic             # synthetic, midi, groove, lakh",
         "    epochs: 3\n    data:\n      source: synthetic             # synthetic, midi, groove, lakh",
         {"train@groovepredictor", "export@groovepredictor", "report"}),
        ("kelly/tasks/harmonypredictor.py", "Dense(128, ", "Dense(96, ",
         {"train@harmonypredictor", "export@harmonypredictor", "evaluate@harmonypredictor", "report"}),
    ],
    ids=["message", "config message", "report", "plot", "one setting", "one layer"],
)  # fmt: skip
def test_a_change_reruns_only_what_it_can_affect(
    restored: Clone, path: str, before: str, after: str, expected: set[str]
) -> None:
    text = restored.read(path)
    assert before in text
    (restored.folder / path).write_text(text.replace(before, after, 1) if before else text + after)
    assert changed_stages(restored) == expected


def test_a_network_that_fails_is_named_and_the_others_are_finished(restored: Clone) -> None:
    choose(restored.folder, {"models.groovepredictor.data.source": "midi", "models.dynamicsengine.epochs": 3})
    printed = restored.run("kelly", "repro", code=1)
    assert "error: stages of groovepredictor failed" in printed
    assert "Groove   | error: data/raw/midi: " in printed
    assert json.loads(restored.read("metrics/dynamicsengine.json"))["dynamicsengine"]["epochs"] == 3
    assert "Traceback" not in printed


def test_ctrl_c_interrupts_all_networks_and_the_same_command_continues(restored: Clone) -> None:
    choose(restored.folder, {"epochs": 4000, "early_stopping_patience": 4000})
    started = restored.start("kelly", "repro", "--jobs", "2")
    histories = [restored.folder / f"trained_models/history/{name}_history.csv" for name in LONGEST_FIRST[:2]]
    while not all(path.exists() and len(path.read_text().splitlines()) > 5 for path in histories):
        assert started.poll() is None
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)  # to the command alone, which passes it on
    printed, _ = started.communicate()
    assert started.returncode == 130
    assert "interrupted: finished work is kept" in printed
    assert "Traceback" not in printed
    for name in LONGEST_FIRST[:2]:
        with lock_models(restored.folder / "trained_models", name):  # nothing is running there any more
            pass
    restored.run("git", "checkout", "-q", ".")
    restored.run("kelly", "repro")
    assert restored.run("git", "status", "--porcelain") == ""


def test_a_setting_of_one_network_runs_that_network_and_going_back_trains_nothing(restored: Clone) -> None:
    choose(restored.folder, {"models.groovepredictor.epochs": 3})
    stages = ["train@groovepredictor", "export@groovepredictor", "evaluate@groovepredictor", "report"]
    assert ran(restored.dvc("repro")) == stages
    assert json.loads(restored.read("trained_models/history/groovepredictor_history.json"))["epoch"] == [1, 2, 3]
    restored.run("git", "checkout", "-q", "params.yaml")
    printed = restored.dvc("repro")
    assert "Stage 'train@groovepredictor' is cached - skipping run" in printed
    assert restored.run("git", "status", "--porcelain") == ""


def test_an_experiment_can_be_compared_with_what_is_committed(restored: Clone) -> None:
    printed = restored.dvc("exp", "run", "-n", "short", "-S", "models.harmonypredictor.epochs=1")
    assert [stage for stage in ran(printed) if stage.startswith("train@")] == ["train@harmonypredictor"]
    difference = json.loads(restored.dvc("metrics", "diff", "--json"))["metrics/harmonypredictor.json"]
    change = difference["harmonypredictor.epochs"]
    assert (change["old"], change["new"]) == (2, 1)
    assert "harmonypredictor.loss" in difference
    restored.dvc("plots", "diff", "--out", "comparison")
    page = restored.read("comparison/index.html")
    for name in TASKS:
        assert all(f"{name}_{kind}" in page for kind in ("loss", "metric", "predictions.png"))
    assert 'src="http' not in page  # made by kelly repro with Vega in it
    assert "short" in restored.dvc("exp", "show", "--csv")


def test_a_shared_setting_runs_all_networks(restored: Clone) -> None:
    choose(restored.folder, {"epochs": 1})
    assert changed_stages(restored) == of_all("train") | of_all("export") | {"report"}


def test_a_mistake_in_the_settings_stops_before_any_work(restored: Clone) -> None:
    choose(restored.folder, {"early_stopping_patience": 0})
    before = {path: path.stat().st_mtime_ns for path in (restored.folder / "trained_models").glob("*.json")}
    printed = restored.dvc("repro", code=255)
    assert "early_stopping_patience: found 0, expected greater than or equal to 1" in printed
    assert "Traceback" not in printed
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_an_export_that_lost_a_layer_is_not_scored(restored: Clone) -> None:
    path = restored.folder / "trained_models/groovepredictor.json"
    content = json.loads(path.read_bytes())
    content["layers"].pop()
    path.unlink()  # it may be a link into the cache
    path.write_text(json.dumps(content))
    printed = restored.run(sys.executable, "-m", "stages.evaluate", "groovepredictor", code=1)
    assert "64 inputs and 64 outputs, expected 64 inputs and 32 outputs" in printed
    path.unlink()


def test_the_same_seed_gives_the_same_bytes_in_another_folder(restored: Clone, tmp_path: Path) -> None:
    other = Clone(restored.folder, tmp_path, {})
    other.dvc("repro", "train@dynamicsengine")
    for name in ("checkpoints/dynamicsengine_best.pt", "history/dynamicsengine_history.csv"):
        ours, theirs = (c.folder / "trained_models" / name for c in (restored, other))
        assert ours.read_bytes() == theirs.read_bytes(), name
