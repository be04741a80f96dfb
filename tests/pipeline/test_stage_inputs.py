"""A stage whose settings, code or data change while it runs must fail: DVC would record them with its result."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.clone import Clone, choose, ran

from kelly.config.params import load
from kelly.config.stage_inputs import Code, StageInputs
from kelly.export.up_to_date import differences_from
from kelly.runtime.code import TRAINING_CODE
from kelly.runtime.errors import KellyError

PIPELINE = """
stages:
  train:
    foreach: [groove, melody]
    do:
      cmd: python -m stages.train ${item}
      params: [epochs, 'models.${item}.rate']
      deps: [kelly/training, stages/train.py, 'data/${item}']
  report: {cmd: python -m stages.report, deps: [data/groove/inputs.npy]}
"""
PARAMS = "epochs: 30\nother: 1\nmodels:\n  groove: {rate: 0.1}\n  melody: {rate: 0.1}\n"


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two networks."""
    monkeypatch.chdir(tmp_path)
    for name in ("kelly/training/loop.py", "kelly/plots/style.py", "stages/train.py", "data/groove/inputs.npy",
                 "data/melody/inputs.npy"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / "params.yaml").write_text(PARAMS)
    return tmp_path


def write(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


def replace_keeping_size(folder: Path) -> None:
    (folder / "new").write_text("2")
    (folder / "new").rename(folder / "data/groove/inputs.npy")


def in_params(before: str, after: str) -> Callable[[Path], object]:
    return write("params.yaml", PARAMS.replace(before, after))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (in_params("epochs: 30", "epochs: 3"), "params.yaml: epochs was 30, is now 3"),
        (in_params("epochs: 30", "epochs: 30.0"), "params.yaml: epochs was 30, is now 30.0"),
        (in_params("epochs: 30\n", ""), "params.yaml: epochs was 30, is now missing"),
        (in_params("groove: {rate: 0.1}", "groove: {rate: 0.2}"), "models.groove.rate was 0.1, is now 0.2"),
        (write("params.yaml", "epochs: ["), "params.yaml"),
        (lambda folder: (folder / "params.yaml").unlink(), "params.yaml"),
        (write("kelly/training/loop.py", "2"), "kelly/training/loop.py was written"),
        (write("kelly/training/new.py", "2"), "kelly/training/new.py was written"),
        (lambda folder: (folder / "stages/train.py").unlink(), "stages/train.py was written, added or removed"),
        (write("data/groove/inputs.npy", "12"), "data/groove/inputs.npy was written"),
        (replace_keeping_size, "data/groove/inputs.npy was written"),
    ],
)
def test_a_change_of_what_the_stage_depends_on_is_reported(
    small: Path, edit: Callable[[Path], object], message: str
) -> None:
    inputs = StageInputs(Code(), "train", "groove")
    inputs.check()
    edit(small)
    with pytest.raises(KellyError, match="changed while it was running") as error:
        inputs.check()
    assert message in str(error.value)


@pytest.mark.parametrize(
    "edit",
    [
        in_params("other: 1", "other: 2"),
        in_params("melody: {rate: 0.1}", "melody: {rate: 0.2}"),
        in_params("epochs: 30", "epochs: 30  # a comment"),
        write("kelly/training/loop.py", "1"),  # saved without a change
        write("kelly/plots/style.py", "2"),
        write("data/melody/inputs.npy", "12"),
        write("kelly/training/.loop.py.swp", "an editor's"),
    ],
)
def test_a_change_of_anything_else_is_not(small: Path, edit: Callable[[Path], object]) -> None:
    inputs = StageInputs(Code(), "train", "groove")
    edit(small)
    inputs.check()


def test_a_change_that_is_undone_in_time_is_not_reported(small: Path) -> None:
    inputs = StageInputs(Code(), "train", "groove")
    in_params("epochs: 30", "epochs: 3")(small)
    assert inputs.changed_params() == ["params.yaml: epochs was 30, is now 3"]
    write("params.yaml", PARAMS)(small)
    assert inputs.changed_params() == []
    inputs.check()


def test_code_that_changed_before_the_stage_began_but_after_its_imports_is_reported(small: Path) -> None:
    code = Code()
    write("kelly/training/loop.py", "2")(small)
    with pytest.raises(KellyError, match=r"kelly/training/loop\.py"):
        StageInputs(code, "train", "groove").check()


def test_a_stage_of_all_networks_is_checked_as_well(small: Path) -> None:
    inputs = StageInputs(Code(), "report")
    inputs.check()
    write("data/groove/inputs.npy", "12")(small)
    with pytest.raises(KellyError, match="inputs"):
        inputs.check()


def metadata() -> dict[str, object]:
    config = load()["groovepredictor"]
    return {
        "params": config.training.model_dump(),
        "code": TRAINING_CODE,
        "data": {"source": config.source, "settings": dict(config.data), "sha256": "0",
                 "splitting": config.splitting.model_dump()},
    }  # fmt: skip


def test_an_export_differs_from_the_project_in_settings_data_or_code(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    config, found = load()["groovepredictor"], metadata()
    assert differences_from(found, config, {"sha256": "0"}) == []
    (line,) = differences_from(found, config, {"sha256": "1"})
    assert line == "data.sha256: export 0, now 1"
    longer = config.training.model_copy(update={"epochs": 3})
    changed = config.__class__(**{**vars(config), "training": longer, "source": "groove", "data": {"path": "x"}})
    lines = differences_from({**found, "code": "other"}, changed, {"sha256": "0"})
    assert {line.partition(":")[0] for line in lines} >= {"epochs", "code", "data.source", "data.settings.path"}


def test_an_edit_just_before_dvc_hashes_is_found_by_the_record(small: Path) -> None:
    inputs = StageInputs(Code(), "train", "groove")
    assert inputs.differences_from_record() == []
    inputs.write_record()
    assert StageInputs(Code(), "train", "groove").differences_from_record() == []
    for edit in (in_params("other: 1", "other: 2"), write("kelly/plots/style.py", "2")):
        edit(small)
        assert StageInputs(Code(), "train", "groove").differences_from_record() == []
    in_params("epochs: 30", "epochs: 3")(small)
    write("kelly/training/loop.py", "2")(small)
    lines = StageInputs(Code(), "train", "groove").differences_from_record()
    assert lines == ["epochs: made with 30, now 3", "code: made with another version"]
    write("data/stages/train@groove.json", "{")(small)
    assert "cannot be read" in StageInputs(Code(), "train", "groove").differences_from_record()[0]


@pytest.mark.pipeline
def test_settings_that_change_during_training_fail_the_run_and_it_continues_when_they_are_restored(
    finished_clone: Callable[[Path], Clone], tmp_path: Path
) -> None:
    clone = finished_clone(tmp_path)
    settings = {"models.groovepredictor.epochs": 1_500, "models.groovepredictor.early_stopping_patience": 1_500}
    choose(tmp_path, settings)
    history = tmp_path / "trained_models/history/groovepredictor_history.csv"
    started = clone.start("kelly", "repro")
    while not history.exists() or len(history.read_text().splitlines()) < 6:
        assert started.poll() is None
        time.sleep(0.05)
    # As an editor does, or `dvc exp run -S`, which is refused while DVC is running, but has written the value by then.
    choose(tmp_path, {"models.groovepredictor.epochs": 5})
    printed, _ = started.communicate()
    assert started.returncode == 1
    assert "Groove   | params.yaml: models.groovepredictor.epochs was 1500, is now 5" in printed
    assert "Groove   | error: what this stage depends on changed" in printed
    assert "train@groovepredictor" in clone.dvc("status", "train@groovepredictor")

    choose(tmp_path, settings)
    printed = clone.run("kelly", "repro")
    assert "GroovePredictor: finished after epoch 1500" in printed
    assert clone.dvc("status") == "Data and pipelines are up to date.\n"


@pytest.mark.pipeline
def test_what_dvc_takes_as_up_to_date_wrongly_is_reported(
    finished_clone: Callable[[Path], Clone], tmp_path: Path
) -> None:
    clone = finished_clone(tmp_path)
    choose(tmp_path, {"models.groovepredictor.learning_rate": 0.01})
    clone.dvc("commit", "--force", "-q", "train@groovepredictor", "export@groovepredictor", "report")
    assert clone.dvc("status") == "Data and pipelines are up to date.\n"
    for command in ("check", "repro"):
        printed = clone.run("kelly", command, code=1)
        for stage in ("train@groovepredictor", "export@groovepredictor", "report"):
            assert f"dvc repro -f -s {stage}\n" in printed
        assert "learning_rate: made with None, now 0.01" in printed
    clone.dvc("repro", "-f", "-s", "report")
    assert "learning_rate: export 0.001, now 0.01" in clone.read("metrics/report.html")
    # So does a cached run that restores it: the export refuses it.
    (tmp_path / "trained_models/groovepredictor.json").unlink()
    printed = clone.dvc("repro", "-f", "-s", "export@groovepredictor", code=255)
    assert "learning_rate: checkpoint 0.001, now 0.01" in printed
    assert ran(clone.dvc("repro", "-f", "-s", "train@groovepredictor")) == ["train@groovepredictor"]
    clone.run("kelly", "repro")
    clone.run("kelly", "check")
