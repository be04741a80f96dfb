"""The command lines of the seed document: its options, output tree and console session, without git or DVC."""

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.clone import Folder

from kelly.commands import evaluate_all, train_all
from kelly.config.params import load
from kelly.data.loading import load_splits
from kelly.evaluation.evaluate import core_scores
from kelly.rtneural.reader import read
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS, Task

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, str]:
    """A folder in which all five were trained for two epochs, and what that printed."""
    folder = Folder(Path(__file__).parents[2], tmp_path_factory.mktemp("scripts"))
    return folder, folder.run("train_all_models.py", "-o", "out", "-e", "2", "-b", "32", "-v", "0.25", "-lr", "0.002")


def loss_of_export(folder: Path, task: Task) -> float:
    """The test loss of the exported file, on the data that it was trained on."""
    config = load(folder / "params.yaml", {"validation_split": 0.25})[task.name]
    return core_scores(task, read(folder / f"out/{task.name}.json").run, load_splits(config, folder / "out/data"))[
        "loss"
    ]


def test_training_prints_the_documented_session(trained: tuple[Folder, str]) -> None:
    printed = trained[1]
    rule = "=" * 60
    assert printed.startswith(
        f"{rule}\nKelly MIDI Companion - Multi-Model Training\n{rule}\nOutput directory: out\nValidation split: 25.0%\n"
        "Early stopping: patience=10, min_delta=0.001 of the loss\nDevice: cpu\n\nDataset splits:\n"
        "  Emotion: 120 train, 40 validation\n"
    )
    for i, task in enumerate(TASKS.values(), start=1):
        assert f"\n[{i}/5] Training {task.title}...\nEpoch 1/2 | Train Loss: " in printed
        assert f" | Val {task.metric_label}: " in printed
    summary = printed[printed.index("Training Summary") :].splitlines()
    assert summary[1] == rule
    assert summary[2].startswith("EmotionRecognizer: Best epoch ")
    assert len(summary) == 7


def test_training_leaves_the_documented_tree(trained: tuple[Folder, str]) -> None:
    expected = {"registry.json"}
    for name in TASKS:
        expected |= {
            f"{name}.json",
            f"checkpoints/{name}_latest.pt",
            f"checkpoints/{name}_best.pt",
            f"history/{name}_history.json",
            f"history/{name}_history.csv",
            *(f"plots/{name}_{kind}.{ending}" for kind in ("loss", "metric") for ending in ("png", "svg")),
        }
    assert {path for path in trained[0].tree("out") if not path.startswith("data/")} == expected


def test_options_reach_the_training_of_every_network(trained: tuple[Folder, str]) -> None:
    for name in TASKS:
        params = json.loads((trained[0].folder / f"out/{name}.json").read_text())["metadata"]["params"]
        assert (params["epochs"], params["batch_size"], params["learning_rate"]) == (2, 32, 0.002)


def test_evaluation_scores_all_five_from_their_best_checkpoints(trained: tuple[Folder, str]) -> None:
    folder, _ = trained
    printed = folder.run("evaluate_models.py", "--checkpoint-dir", "out/checkpoints", "--output", "results")
    assert "Kelly MIDI Companion - Model Evaluation" in printed
    for i, task in enumerate(TASKS.values(), start=1):
        assert f"[{i}/5] Evaluating {task.title}...\n  Loaded checkpoint from epoch " in printed
        scores = json.loads((folder.folder / f"results/{task.name}.json").read_text())[task.name]
        assert scores["loss"] == pytest.approx(loss_of_export(folder.folder, task), rel=1e-5)
    for line in ("Cosine Similarity: ", "MAE: ", "Mean Correlation: ", "Top-10 Accuracy: ", "F1 Score: "):
        assert f"\n  {line}" in printed
    assert not (folder.folder / "results/data").exists()


def test_resuming_continues_and_data_is_generated_once(trained: tuple[Folder, str]) -> None:
    folder, _ = trained
    options = ["-o", "out", "-b", "32", "-v", "0.25", "-lr", "0.002", "--models", "GroovePredictor"]
    before = (folder.folder / "out/data/datasets/groovepredictor/dataset.json").stat().st_mtime_ns
    printed = folder.run("train_all_models.py", *options, "-e", "3", "--resume", "GroovePredictor")
    assert "GroovePredictor: resuming after epoch 2\nEpoch 3/3" in printed
    assert (folder.folder / "out/data/datasets/groovepredictor/dataset.json").stat().st_mtime_ns == before
    refused = folder.run("train_all_models.py", *options, "-e", "3", "--resume", "all", "-lr", "0.1", code=1)
    assert "learning_rate: checkpoint 0.002, now 0.1" in refused


def test_repeated_options_add_up_and_all_may_be_in_any_case(trained: tuple[Folder, str]) -> None:
    folder, _ = trained
    options = ["-o", "twice", "-e", "1", "--models", "DynamicsEngine", "--models", "GroovePredictor"]
    folder.run("train_all_models.py", *options)
    for resume in (["--resume", "DynamicsEngine", "--resume", "GroovePredictor"], ["--resume", "ALL"]):
        printed = folder.run("train_all_models.py", *options, *resume)
        assert printed.count("finished after epoch 1") == 2


def test_scores_never_replace_exports(trained: tuple[Folder, str]) -> None:
    folder, _ = trained
    before = (folder.folder / "out/groovepredictor.json").read_bytes()
    for output in ("out", "./out/../out"):
        printed = folder.run("evaluate_models.py", "--checkpoint-dir", "out/checkpoints", "-o", output, code=1)
        assert "contains trained networks" in printed
    assert (folder.folder / "out/groovepredictor.json").read_bytes() == before


def test_altered_data_is_not_evaluated_on(trained: tuple[Folder, str]) -> None:
    folder, _ = trained
    shutil.copytree(folder.folder / "out", folder.folder / "altered")
    path = folder.folder / "altered/data/datasets/groovepredictor/targets.npy"
    np.save(path, np.load(path)[::-1])
    options = ["--checkpoint-dir", "altered/checkpoints", "-o", "scores"]
    assert "Generating its data again (synthetic)" in folder.run("evaluate_models.py", *options)
    scores = json.loads((folder.folder / "scores/groovepredictor.json").read_text())["groovepredictor"]
    assert scores["loss"] == pytest.approx(loss_of_export(folder.folder, TASKS["groovepredictor"]), rel=1e-5)


def test_a_broken_export_in_the_folder_is_refused_before_training(trained: tuple[Folder, str]) -> None:
    folder, _ = trained
    (folder.folder / "beside").mkdir()
    (folder.folder / "beside/dynamicsengine.json").write_text("{")
    printed = folder.run("train_all_models.py", "-o", "beside", "--models", "groovepredictor", "-e", "1", code=1)
    assert "beside/dynamicsengine.json: is not JSON" in printed
    assert "Epoch 1" not in printed


def test_histories_and_plots_are_optional(project: Path, tmp_path: Path) -> None:
    folder = Folder(project, tmp_path)
    folder.run("train_all_models.py", "-e", "1", "--models", "dynamicsengine", "--no-history", "--no-plots")
    assert {path for path in folder.tree("trained_models") if not path.startswith("data/")} == {
        "checkpoints/dynamicsengine_best.pt",
        "checkpoints/dynamicsengine_latest.pt",
        "dynamicsengine.json",
        "registry.json",
    }


@pytest.fixture
def run_in_process(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs a command line with small settings within this process."""
    Folder(project, tmp_path)
    monkeypatch.chdir(tmp_path)

    def run(script: str, *options: str) -> None:
        monkeypatch.setattr(sys, "argv", [script, *options])
        if script == "train_all_models.py":
            train_all.main(Path("params.yaml"))
        else:
            evaluate_all.main()

    return run


def test_help_names_every_documented_option(
    run_in_process: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        run_in_process("train_all_models.py", "--help")
    printed = capsys.readouterr().out
    for option in (
        "--output", "-o", "--epochs", "-e", "--batch-size", "-b", "--device", "-d", "--validation-split", "-v",
        "--early-stopping-patience", "--early-stopping-min-delta", "--learning-rate", "-lr", "--resume",
        "--no-history", "--no-plots",
    ):  # fmt: skip
        assert re.search(rf"(?<![-\w]){option}[ ,\n]", printed), option


@pytest.mark.parametrize("script", ["train_all_models.py", "evaluate_models.py"])
def test_an_empty_folder_name_is_refused(
    run_in_process: Callable[..., None], capsys: pytest.CaptureFixture[str], script: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run_in_process(script, "-o", "")
    assert "is empty, expected the name of a folder" in capsys.readouterr().err


GROOVE = ("--models", "groovepredictor")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-e", "0"], "epochs: found 0, expected greater than or equal to 1\nOptions of the command line: epochs 0"),
        (["-e", "9" * 23], "expected less than or equal to 10000000"),
        (["-v", "1"], "validation_split: found 1.0, expected less than 1"),
        (["-lr", "nan", "-b", "-3"], "has 2 mistake(s)"),
        (["--resume", "DrumPredictor"], "unknown network drumpredictor; expected EmotionRecognizer"),
        ([*GROOVE, "--resume", "groovepredictor"], "_latest.pt is missing"),
        (["--resume", "all"], "has no *_latest.pt to continue from"),
        ([*GROOVE, "--resume", "melodytransformer"], "is excluded by --models"),
    ],
)
def test_a_mistake_is_one_message(run_in_process: Callable[..., None], options: list[str], message: str) -> None:
    with pytest.raises(KellyError, match=re.escape(message)):
        run_in_process("train_all_models.py", *options)


def test_a_mistake_is_printed_without_a_traceback(trained: tuple[Folder, str]) -> None:
    folder = trained[0]
    assert "Not a directory; check that the path" in folder.run("train_all_models.py", "-o", "params.yaml", code=1)
    printed = folder.run("evaluate_models.py", "--checkpoint-dir", "nowhere", code=1)
    assert "error: nowhere has no *_best.pt" in printed
