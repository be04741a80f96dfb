"""The command lines of the seed document: its options, output tree and console session, without git or DVC."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.clone import Folder
from support.command_line import run_script

from kelly.config.params import load
from kelly.data.loading import load_splits
from kelly.evaluation.evaluate import core_scores
from kelly.rtneural.reader import read
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS, Task

pytestmark = pytest.mark.pipeline

TRAIN, EVALUATE = "train_all_models.py", "evaluate_models.py"
OPTIONS = ("-o", "out", "-b", "32", "-v", "0.25", "-lr", "0.002")
GROOVE = ("--models", "groovepredictor")


@pytest.fixture
def small_folder(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """The current folder, with small settings."""
    monkeypatch.chdir(tmp_path)
    return Folder(project, tmp_path)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, str]:
    """A folder in which all five were trained for two epochs, and what that printed."""
    folder = Folder(Path(__file__).parents[2], tmp_path_factory.mktemp("scripts"))
    return folder, folder.run(TRAIN, *OPTIONS, "-e", "2")


@pytest.fixture
def trained(session: tuple[Folder, str], monkeypatch: pytest.MonkeyPatch) -> Folder:
    """The folder of the session, as the current one."""
    monkeypatch.chdir(session[0].folder)
    return session[0]


def check_loss(scores: str, task: Task) -> None:
    """The scores must have the test loss of the exported file, on the data that it was trained on."""
    splits = load_splits(load(Path("params.yaml"), {"validation_split": 0.25})[task.name], Path("out/data"))
    expected = core_scores(task, read(Path(f"out/{task.name}.json")).run, splits)["loss"]
    assert json.loads(Path(scores).read_text())[task.name]["loss"] == pytest.approx(expected, rel=1e-5)


def test_training_prints_the_documented_session(session: tuple[Folder, str]) -> None:
    printed, rule = session[1], "=" * 60
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


def test_training_leaves_the_documented_tree_and_uses_the_options_for_every_network(trained: Folder) -> None:
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
        params = json.loads(Path(f"out/{name}.json").read_text())["metadata"]["params"]
        assert (params["epochs"], params["batch_size"], params["learning_rate"]) == (2, 32, 0.002)
    assert {path for path in trained.tree("out") if not path.startswith("data/")} == expected


def test_evaluation_scores_all_five_from_their_best_checkpoints(trained: Folder) -> None:
    printed = trained.run(EVALUATE, "--checkpoint-dir", "out/checkpoints", "--output", "results")
    assert "Kelly MIDI Companion - Model Evaluation" in printed
    for i, task in enumerate(TASKS.values(), start=1):
        assert f"[{i}/5] Evaluating {task.title}...\n  Loaded checkpoint from epoch " in printed
        check_loss(f"results/{task.name}.json", task)
    for line in ("Cosine Similarity: ", "MAE: ", "Mean Correlation: ", "Top-10 Accuracy: ", "F1 Score: "):
        assert f"\n  {line}" in printed
    assert not Path("results/data").exists()


def test_a_mistake_is_printed_without_a_traceback(small_folder: Folder) -> None:
    assert "error: nowhere has no *_best.pt" in small_folder.run(EVALUATE, "--checkpoint-dir", "nowhere", code=1)


def test_resuming_continues_and_data_is_generated_once(trained: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    metadata = Path("out/data/datasets/groovepredictor/dataset.json")
    before = metadata.stat().st_mtime_ns
    run_script(TRAIN, *OPTIONS, *GROOVE, "-e", "3", "--resume", "GroovePredictor")
    assert "GroovePredictor: resuming after epoch 2\nEpoch 3/3" in capsys.readouterr().out
    assert metadata.stat().st_mtime_ns == before
    with pytest.raises(KellyError, match=r"learning_rate: checkpoint 0\.002, now 0\.1"):
        run_script(TRAIN, *OPTIONS, *GROOVE, "-e", "3", "--resume", "all", "-lr", "0.1")


def test_scores_never_replace_exports(trained: Folder) -> None:
    for output in ("out", "./out/../out"):
        with pytest.raises(KellyError, match="contains trained networks"):
            run_script(EVALUATE, "--checkpoint-dir", "out/checkpoints", "-o", output)


def test_altered_data_is_not_evaluated_on(trained: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("altered/data/datasets/groovepredictor/targets.npy")
    shutil.copytree("out/data/datasets/groovepredictor", path.parent)
    Path("altered/checkpoints").mkdir()
    shutil.copy("out/checkpoints/groovepredictor_best.pt", "altered/checkpoints")
    np.save(path, np.load(path)[::-1])
    run_script(EVALUATE, "--checkpoint-dir", "altered/checkpoints", "-o", "scores")
    assert "Generating its data again (synthetic)" in capsys.readouterr().out
    check_loss("scores/groovepredictor.json", TASKS["groovepredictor"])


def test_repeated_options_add_up_and_all_may_be_in_any_case(
    small_folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("-e", "1", "--no-plots", "--models", "DynamicsEngine", "--models", "GroovePredictor")
    run_script(TRAIN, *options)
    for resume in (["--resume", "DynamicsEngine", "--resume", "GroovePredictor"], ["--resume", "ALL"]):
        run_script(TRAIN, *options, *resume)
        assert capsys.readouterr().out.count("finished after epoch 1") == 2


def test_a_broken_export_in_the_folder_is_refused_before_training(small_folder: Folder) -> None:
    Path("out").mkdir()
    Path("out/dynamicsengine.json").write_text("{")
    with pytest.raises(KellyError, match=r"out/dynamicsengine\.json: is not JSON"):
        run_script(TRAIN, "-o", "out", *GROOVE, "-e", "1")
    assert not Path("out/checkpoints").exists()


def test_histories_and_plots_are_optional(small_folder: Folder) -> None:
    run_script(TRAIN, "-e", "1", *GROOVE, "--no-history", "--no-plots")
    assert {path for path in small_folder.tree("trained_models") if not path.startswith("data/")} == {
        "checkpoints/groovepredictor_best.pt",
        "checkpoints/groovepredictor_latest.pt",
        "groovepredictor.json",
        "registry.json",
    }


def test_help_names_every_documented_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        run_script(TRAIN, "--help")
    printed = capsys.readouterr().out
    for option in (
        "--output", "-o", "--epochs", "-e", "--batch-size", "-b", "--device", "-d", "--validation-split", "-v",
        "--early-stopping-patience", "--early-stopping-min-delta", "--learning-rate", "-lr", "--resume",
        "--no-history", "--no-plots",
    ):  # fmt: skip
        assert re.search(rf"(?<![-\w]){option}[ ,\n]", printed), option


@pytest.mark.parametrize("script", [TRAIN, EVALUATE])
def test_an_empty_folder_name_is_refused(capsys: pytest.CaptureFixture[str], script: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        run_script(script, "-o", "")
    assert "is empty, expected the name of a folder" in capsys.readouterr().err


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
def test_a_mistake_is_one_message(small_folder: Folder, options: list[str], message: str) -> None:
    with pytest.raises(KellyError, match=re.escape(message)):
        run_script(TRAIN, *options)
