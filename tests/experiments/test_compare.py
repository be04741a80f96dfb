"""`kelly compare` on real revisions: git tags, DVC experiments and the workspace; and on invalid ones."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.clone import Clone
from support.command_line import run_command
from support.noisy_exports import TASK, export_bytes, sequences

from kelly.commands import compare as command
from kelly.config.yaml_file import parse_yaml
from kelly.data.dataset import write_metadata
from kelly.experiments.compare import compare
from kelly.experiments.revisions import Revision
from kelly.runtime.errors import KellyError

PLOT = Path("comparison.png")


@pytest.fixture
def repository(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two tagged commits with results in git: `good`, and `bad`, whose network is worse."""
    monkeypatch.chdir(tmp_path)
    git("init", "-q", "-b", "main")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").touch()
    data = Path("data/datasets/groovepredictor")
    sequences().save(data)
    write_metadata(data, {"model": TASK.name, "source": "synthetic", "settings": {}}, {})
    sha256 = json.loads((data / "dataset.json").read_bytes())["sha256"]
    text = (project / "params.yaml").read_text()
    for tag, learning_rate, error in (("good", "0.001", 0.02), ("bad", "0.002", 0.1)):
        Path("params.yaml").write_text(text.replace("learning_rate: 0.001", f"learning_rate: {learning_rate}"))
        commit_results(tag, export_bytes(error, sha256=sha256, learning_rate=float(learning_rate)))
    return tmp_path


def commit_results(tag: str, export: bytes) -> None:
    scores = {"loss": 1.0, "skill": 0.5, "r2": 0.5, "epochs": 3, "best_epoch": 2}
    history = {"epoch": [1, 2, 3], "train_loss": [0.3, 0.2, 0.1], "val_loss": [0.3, 0.2, 0.25]}
    for path, content in (
        ("trained_models/groovepredictor.json", export),
        ("trained_models/history/groovepredictor_history.json", json.dumps(history).encode()),
        ("metrics/groovepredictor.json", json.dumps({"groovepredictor": scores}).encode()),
    ):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content)
    git("add", "-A")
    git("-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qm", tag)
    git("tag", tag)


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True)


def test_two_revisions_are_compared(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare(["good", "bad"], None, PLOT)
    text = capsys.readouterr().out
    assert "  bad compared with good:\n    learning_rate: 0.001 -> 0.002\n  revision" in text
    assert re.search(r"good +1 +3 +2 +1\.000000 .* reference\n", text)
    assert re.search(r"bad +1 .* \+0\.\d+ +\+0\.\d+ to \+0\.\d+ +– +worse\n", text)
    assert "good: its metrics have a loss of 1.000000, but its export now has 0.0" in text
    assert "dvc exp run --queue -S 'training_seed=1,2,3'" in text
    assert PLOT.read_bytes().startswith(b"\x89PNG")


def test_a_single_revision_is_compared_with_the_workspace(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare(["bad"], None, PLOT)
    assert capsys.readouterr().out == "Identical in bad, workspace: GroovePredictor\n"
    assert not PLOT.exists()
    Path("trained_models/groovepredictor.json").write_bytes(export_bytes(0.02))
    compare(["good"], ["groovepredictor"], PLOT)
    assert "workspace compared with good:" in capsys.readouterr().out


def test_settings_that_were_not_trained_with_are_reported(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("rate: 0.002", "rate: 0.003"))
    compare(["bad"], None, PLOT)
    assert "workspace has other settings than bad but the same results" in capsys.readouterr().out


def test_data_that_is_missing_in_the_workspace_is_fetched(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("data/datasets/groovepredictor/inputs.npy").unlink()
    compare(["good", "bad"], None, PLOT)
    assert len(re.findall(r"– +worse\n", capsys.readouterr().out)) == 1
    assert not list(repository.rglob("inputs.npy"))


def test_without_the_data_the_scores_are_shown_but_not_compared(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for tag, error in (("lost", 0.02), ("lost-too", 0.1)):
        commit_results(tag, export_bytes(error, sha256="1" * 64))
    compare(["lost", "lost-too"], None, PLOT)
    text = capsys.readouterr().out
    assert text.count("  not comparable: the data of GroovePredictor at lost is not the data that its export") == 1
    assert re.search(r"lost-too +1 +3 +2 +1\.000000 .* not comparable\n", text)
    assert "training_seed" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["good", "nonsense"], "nonsense: unknown Git revision 'nonsense'; expected a git revision"),
        ([""], "found an empty name"),
        (["good:params.yaml", "good"], "good:params.yaml: is not a commit; expected a git revision"),
        (["workspace"], "the workspace cannot be compared with itself"),
        (["good", "--plot", "x.jpg"], "--plot x.jpg: expected a name that ends with .png"),
        (["good", "--picture", "x.jpg"], "--plot x.jpg: expected a name that ends with .png"),
        (["good", "bad", "--models", "melodytransformer"], "good has neither metrics nor an export of Melody"),
    ],
)
def test_wrong_arguments_are_rejected(repository: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(KellyError) as error:
        run_command(command, *arguments)
    assert message in str(error.value)
    assert not PLOT.exists()


def test_a_revision_without_valid_settings_is_rejected(repository: Path) -> None:
    Path("params.yaml").write_text("a: [")
    with pytest.raises(KellyError, match=r"workspace: params\.yaml cannot be read as YAML"):
        Revision("workspace")
    Path("params.yaml").unlink()
    with pytest.raises(KellyError, match=r"has no params\.yaml"):
        Revision("workspace")


@pytest.mark.pipeline
def test_experiments_are_compared_by_name_and_grouped_by_seed(
    finished_clone: Callable[[Path], Clone], tmp_path: Path
) -> None:
    clone = finished_clone(tmp_path)
    for name, setting in (("other", "training_seed=7"), ("short", "models.groovepredictor.epochs=1")):
        clone.dvc("exp", "run", "-n", name, "-S", setting, "evaluate@groovepredictor")
        lock = parse_yaml(clone.read("dvc.lock"))
        clone.run("git", "checkout", "-q", ".")
    printed = clone.run("kelly", "compare", "HEAD", "other", "short", "--models", "groovepredictor")
    assert "short compared with HEAD:\n    models.groovepredictor.epochs: 2 -> 1\n" in printed
    assert re.search(r"other +7 +2 ", printed)
    assert re.search(r"mean of 2 seeds .* reference\n", printed)
    assert re.search(r"short +42 +1 +1 .* to .* to .* to .*(better|worse|no difference)\n", printed)
    for warning in ("its metrics have", "params.yaml has", "training_seed"):
        assert warning not in printed
    assert (tmp_path / "comparison.png").exists()
    assert clone.run("git", "status", "--porcelain") == ""

    outs = lock["stages"]["export@groovepredictor"]["outs"]
    md5 = next(out["md5"] for out in outs if out["path"] == "trained_models/groovepredictor.json")
    (tmp_path / ".dvc/cache/files/md5" / md5[:2] / md5[2:]).unlink()
    printed = clone.run("kelly", "compare", "HEAD", "short")
    assert "  not comparable: short: its export is not in the DVC cache; fetch it (dvc pull)" in printed
    assert re.search(r"short +– +1 +1 +0.* not comparable\n", printed)
