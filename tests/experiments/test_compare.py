"""`kelly compare` on real revisions: git's tags, experiments of DVC, the workspace; and on what is none."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.clone import SMALL, Clone
from support.made_exports import TASK, made_data, written

from kelly import commands
from kelly.data.dataset import write_metadata
from kelly.experiments.compare import compare
from kelly.experiments.revisions import Revision
from kelly.runtime.errors import KellyError


@pytest.fixture
def repository(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two commits with results, small enough to be kept by git alone: `good`, and `bad`, which is worse."""
    monkeypatch.chdir(tmp_path)
    git("init", "-q", "-b", "main")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").touch()
    data = Path("data/datasets/groovepredictor")
    made_data().save(data)
    write_metadata(data, {"model": TASK.name, "source": "synthetic", "settings": {}}, {})
    sha256 = json.loads((data / "dataset.json").read_bytes())["sha256"]
    text = (project / "params.yaml").read_text()
    for tag, learning_rate, error in (("good", "0.001", 0.02), ("bad", "0.002", 0.1)):
        Path("params.yaml").write_text(text.replace("learning_rate: 0.001", f"learning_rate: {learning_rate}"))
        commit_results(tag, written(error, sha256=sha256, learning_rate=float(learning_rate)))
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


def test_two_revisions_side_by_side(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare(["good", "bad"], None, Path("comparison.png"))
    text = capsys.readouterr().out
    assert "  bad, beside good:\n    learning_rate: 0.001 -> 0.002\n  revision" in text
    assert re.search(r"good +1 +3 +2 +1\.000000 .* reference\n", text)
    assert re.search(r"bad +1 .* \+0\.\d+ +\+0\.\d+ to \+0\.\d+ +–  worse\n", text)
    assert "good: its metrics say a loss of 1.000000, but its export has 0.0" in text
    assert "dvc exp run --queue -S 'training_seed=1,2,3'" in text
    assert (repository / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_one_revision_is_compared_with_the_workspace_and_what_is_the_same_is_said(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(["bad"], None, Path("comparison.png"))
    assert capsys.readouterr().out == "Identical in bad, workspace: GroovePredictor\n"
    assert not (repository / "comparison.png").exists()
    Path("trained_models/groovepredictor.json").write_bytes(written(0.02))
    compare(["good"], ["groovepredictor"], Path("comparison.png"))
    assert "workspace, beside good:" in capsys.readouterr().out


def test_settings_that_were_not_run_with_are_told(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("learning_rate: 0.002", "learning_rate: 0.003"))
    compare(["bad"], None, Path("comparison.png"))
    told = capsys.readouterr().out
    assert "GroovePredictor: workspace has other settings than bad, but the same results: it was not run with" in told


def test_data_that_the_workspace_no_longer_has_is_fetched(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("data/datasets/groovepredictor/inputs.npy").unlink()
    compare(["good", "bad"], None, Path("comparison.png"))
    assert capsys.readouterr().out.count("worse\n") == 1
    assert not list(repository.rglob("inputs.npy"))


def test_data_that_is_nowhere_is_told_and_the_scores_are_shown_all_the_same(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for tag, error in (("lost", 0.02), ("lost too", 0.1)):
        commit_results(tag.replace(" ", "-"), written(error, sha256="1" * 64))
    compare(["lost", "lost-too"], None, Path("comparison.png"))
    text = capsys.readouterr().out
    assert text.count("  not comparable: the data of GroovePredictor at lost is not what its export") == 1
    assert re.search(r"lost-too +1 +3 +2 +1\.000000 .* not comparable\n", text)
    assert "training_seed" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["good", "nonsense"], "nonsense: unknown Git revision 'nonsense'; expected a git revision, an experiment"),
        ([""], "found an empty name"),
        (["good:params.yaml", "good"], "good:params.yaml: is no commit; expected a git revision"),
        (["workspace"], "the workspace cannot be compared with itself"),
        (["good", "--picture", "x.jpg"], "--picture x.jpg: expected a name that ends with .png"),
        (["good", "bad", "--models", "melodytransformer"], "good holds neither metrics nor an export of Melody"),
    ],
)
def test_a_users_mistake_is_a_message_and_exit_1(
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["kelly", "compare", *arguments])
    with pytest.raises(SystemExit) as ended:
        commands.main()
    assert ended.value.code == 1
    assert message in capsys.readouterr().err
    assert not (repository / "comparison.png").exists()


def test_a_revision_without_settings_is_told(repository: Path) -> None:
    Path("params.yaml").write_text("a: [")
    with pytest.raises(KellyError, match=r"workspace: params\.yaml cannot be read as YAML"):
        Revision("workspace")
    Path("params.yaml").unlink()
    with pytest.raises(KellyError, match=r"there is no params\.yaml"):
        Revision("workspace")


@pytest.mark.pipeline
def test_experiments_are_compared_by_their_names_and_seeds_put_together(tmp_path: Path, project: Path) -> None:
    clone = Clone(project, tmp_path, SMALL)
    kelly = (sys.executable, "-c", "from kelly.commands import main; main()")  # the clone's
    clone.dvc("repro", "evaluate@groovepredictor")
    clone.commit()
    for name, setting in (("other", "training_seed=7"), ("short", "models.groovepredictor.epochs=1")):
        clone.dvc("exp", "run", "-n", name, "-S", setting, "evaluate@groovepredictor")
        lock = YAML(typ="safe", pure=True).load(clone.read("dvc.lock"))
        clone.run("git", "checkout", "-q", ".")
    printed = clone.run(*kelly, "compare", "HEAD", "other", "short")
    assert "short, beside HEAD:\n    models.groovepredictor.epochs: 2 -> 1\n" in printed
    assert re.search(r"other +7 +2 ", printed)
    assert re.search(r"mean of 2 seeds .* reference\n", printed)
    assert re.search(r"short +42 +1 +1 .* to .* to .* to .*(better|worse|cannot be told apart)\n", printed)
    for doubt in ("its metrics say", "params.yaml says", "training_seed"):
        assert doubt not in printed
    assert (tmp_path / "comparison.png").exists()
    assert clone.run("git", "status", "--porcelain") == ""

    md5 = lock["stages"]["export@groovepredictor"]["outs"][0]["md5"]
    (tmp_path / ".dvc/cache/files/md5" / md5[:2] / md5[2:]).unlink()
    printed = clone.run(*kelly, "compare", "HEAD", "short")
    assert "  not comparable: short: its export is in no cache; fetch it (dvc pull), or go there" in printed
    assert re.search(r"short +– +1 +1 +0.* not comparable\n", printed)
