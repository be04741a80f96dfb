"""`kelly compare`: what is one group, what is chance, what cannot be compared; on made revisions and on real ones."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from clone import SMALL, Clone
from ruamel.yaml import YAML
from scipy.stats import t

from kelly import cli
from kelly.datasets.sequences import Sequences, describe
from kelly.errors import KellyError
from kelly.experiments.compare import compare, scored
from kelly.experiments.comparison_text import section
from kelly.experiments.differences import OTHER_PIECES, Difference, Group, groups, over_seeds
from kelly.experiments.revisions import Export, Revision, Run, read_export, settings
from kelly.export import document
from kelly.tasks import TASKS

TASK = TASKS["groovepredictor"]
SPLITTING = {"seed": 1, "validation_split": 0.2, "test_split": 0.2, "shuffle_inputs": False}
SHA256 = "0" * 64


def weights(error: float = 0.0, seed: int = 0) -> dict[str, Any]:
    """Those of a network that errs by noise of its own on all of them."""
    truth, noise = np.random.default_rng(0), np.random.default_rng(seed + 1)
    found, size = {}, TASK.num_inputs
    for i, layer in enumerate(TASK.layers):
        for name, shape in (("weight", (layer.size, size)), ("bias", (layer.size,))):
            exact = truth.standard_normal(shape) / np.sqrt(size)
            found[f"layers.{i}.{name}"] = (exact + error * noise.standard_normal(shape)).astype(np.float32)
        size = layer.size
    return found


def written(error: float = 0.0, seed: int = 1, sha256: str = SHA256, **training: Any) -> bytes:
    """An export as it stands in its file; with the same error and seed it is the same network."""
    metadata = {
        "seed": seed,
        "params": {"seed": seed, "epochs": 3, **training},
        "data": {"sha256": sha256, "splitting": SPLITTING},
        "code": "a",
        "torch_version": "2",
    }
    content = document(TASK.num_inputs, TASK.layers, weights(error, seed)) | {"metadata": metadata}
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def a_run(name: str, error: float = 0.0, seed: int = 1, **training: Any) -> Run:
    return Run(name, {}, {"loss": 1.0}, {}, read_export(TASK, written(error, seed, **training)))


def export_of(run: Run) -> Export:
    assert run.export is not None
    return run.export


def made_data(n: int = 300) -> Sequences:
    inputs = np.random.default_rng(2).uniform(-1, 1, (n, 1, TASK.num_inputs)).astype(np.float32)
    exact = export_of(a_run("exact")).model.run(inputs)
    targets = exact + 0.05 * np.random.default_rng(3).standard_normal(exact.shape)
    return Sequences(inputs, targets.astype(np.float32), np.array([f"{i:03}" for i in range(n)]))


def beside(*runs: Run) -> list[Group]:
    whole = made_data()
    parts = {side: whole.take(np.arange(i, 300, 3)) for i, side in enumerate(("train", "validation", "test"))}
    return scored(TASK, groups(runs), export_of(runs[0]).test_side, parts)


def verdicts(found: Sequence[Group]) -> list[str]:
    return [group.difference.verdict if group.difference else "" for group in found]


def test_runs_that_differ_in_the_seed_alone_are_one_group() -> None:
    runs = [a_run("a", seed=1), a_run("b", seed=2, learning_rate=0.1), a_run("c", seed=3), a_run("d", seed=1)]
    lost = Run("lost", {}, {}, {}, None, "its export is in no cache")
    found = groups([*runs, lost, replace(lost, name="lost too")])
    assert [[run.name for run in group] for group in found] == [["a", "c"], ["b"], ["d"], ["lost"], ["lost too"]]


def test_other_code_or_data_makes_another_group() -> None:
    first, other = a_run("a", seed=1), a_run("b", seed=2)
    export = export_of(other)
    assert len(groups([first, other])) == 1
    for changed in (replace(export, code={"training code": "b"}), replace(export, data={"sha256": "1" * 64})):
        assert len(groups([first, replace(other, export=changed)])) == 2


@pytest.mark.parametrize(
    ("pieces", "seeds", "verdict"),
    [
        ((-2, -1), None, "better"),
        ((1, 2), None, "worse"),
        ((-1, 2), None, "cannot be told apart"),
        ((-2, -1), (-3, -1), "better"),
        ((1, 2), (-1, 2), "cannot be told apart"),
        ((-2, -1), (1, 2), "cannot be told apart"),
        (None, (1, 2), "worse"),
        ((0, 0), None, "cannot be told apart"),
        (None, None, "cannot be told apart"),
    ],
)
def test_a_verdict_needs_all_known_intervals_on_one_side_of_zero(pieces: Any, seeds: Any, verdict: str) -> None:
    assert Difference(0.0, pieces, seeds).verdict == verdict


def test_the_interval_over_seeds_is_students_with_pooled_variance() -> None:
    assert over_seeds([1.0], [2.0]) is None
    three = [1.0, 2.0, 4.0]
    reach = t.ppf(0.975, 2) * np.std(three, ddof=1) * np.sqrt(1 + 1 / 3)
    assert over_seeds(three, [5.0]) == pytest.approx((7 / 3 - 5 - reach, 7 / 3 - 5 + reach))
    assert over_seeds([5.0], three) == pytest.approx((5 - 7 / 3 - reach, 5 - 7 / 3 + reach))
    assert over_seeds([1.0, 1.0], [2.0]) == pytest.approx((-1.0, -1.0))


def test_identical_networks_cannot_be_told_apart() -> None:
    found = beside(a_run("a", error=0.05), a_run("b", error=0.05))
    assert found[1].difference == Difference(0.0, (0.0, 0.0), None)
    assert verdicts(found) == ["", "cannot be told apart"]


def test_a_really_worse_network_is_worse_and_a_better_one_better() -> None:
    runs = [a_run("a", error=0.02), a_run("b", error=0.1, epochs=1), a_run("c", epochs=2)]
    found = beside(*runs)
    assert verdicts(found) == ["", "worse", "better"]
    (low, high), value = found[1].difference.pieces, found[1].difference.value  # type: ignore[union-attr,misc]
    assert 0 < low < value < high


def test_what_one_seed_promises_the_spread_of_others_takes_back() -> None:
    first = a_run("a", error=0.03)
    wide = [a_run(f"b{seed}", error=error, seed=seed, epochs=1) for seed, error in ((1, 0.04), (2, 0.1))]
    assert verdicts(beside(first, wide[0])) == ["", "worse"]
    found = beside(first, *wide)
    assert verdicts(found) == ["", "cannot be told apart"]
    difference = found[1].difference
    assert difference is not None
    assert difference.pieces is not None
    assert difference.pieces[0] > 0
    assert difference.value == pytest.approx(np.mean([c.mean for c in found[1].costs]) - found[0].costs[0].mean)
    text = "\n".join(section(TASK, found))
    assert re.search(r"mean of 2 seeds +0\.\d{6} ± 0\.\d{6} .* cannot be told apart", text)


def test_several_seeds_on_both_sides_give_both_intervals() -> None:
    runs = [a_run(f"{error}{seed}", error=error, seed=seed, epochs=int(100 * error))
            for error in (0.02, 0.08) for seed in (1, 2, 3)]  # fmt: skip
    found = beside(*runs)
    assert [len(group.runs) for group in found] == [3, 3]
    assert verdicts(found) == ["", "worse"]
    assert found[1].difference is not None
    assert found[1].difference.seeds is not None


def test_other_test_pieces_are_not_compared_and_another_share_of_validation_is() -> None:
    first, other = a_run("a"), a_run("b", error=0.1, epochs=1)
    for change, faults in (
        ({"test_split": 0.3}, ["", OTHER_PIECES]),
        ({"seed": 2}, ["", OTHER_PIECES]),
        ({"shuffle_inputs": True}, ["", OTHER_PIECES]),
        ({"validation_split": 0.1}, ["", ""]),
    ):
        export = export_of(other)
        changed = replace(export, splitting=export.splitting.model_copy(update=change))
        found = beside(first, replace(other, export=changed))
        assert [group.fault for group in found] == faults
    assert "not comparable: other test pieces" in "\n".join(
        section(TASK, beside(first, replace(other, export=replace(export_of(other), sha256="1" * 64))))
    )


def test_settings_are_those_that_touch_the_network() -> None:
    params = {
        "epochs": 50,
        "learning_rate": 0.001,
        "training_seed": 3,
        "extraction": {"num_workers": 2},
        "models": {
            "groovepredictor": {
                "epochs": None,
                "learning_rate": 0.002,
                "data": {"source": "synthetic", "synthetic": {"num_sequences": 9}, "midi": {"path": "x"}},
            },
            "dynamicsengine": {"epochs": 7},
        },
    }
    assert [tuple(setting) for setting in settings(params, "groovepredictor").values()] == [
        ("epochs", 50),
        ("models.groovepredictor.learning_rate", 0.002),
        ("models.groovepredictor.data.source", "synthetic"),
        ("models.groovepredictor.data.synthetic.num_sequences", 9),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is not JSON"),
        (b"{}", "there is no network"),
        (written().replace(b'"splitting"', b'"divided"'), "does not say how it was trained"),
        (written().replace(b'"params"', b'"settings"'), "does not say how it was trained"),
    ],
)
def test_an_export_that_does_not_say_what_it_is_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(KellyError, match=message):
        read_export(TASK, content)


def test_an_export_of_another_network_is_refused() -> None:
    with pytest.raises(KellyError, match=r"found \(64, 32\) inputs and outputs, expected \(128, 64\)"):
        read_export(TASKS["emotionrecognizer"], written())


@pytest.fixture
def repository(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two commits with results, small enough to be kept by git alone: `good`, and `bad`, which is worse."""
    monkeypatch.chdir(tmp_path)
    git("init", "-q", "-b", "main")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").touch()
    data = Path("data/datasets/groovepredictor")
    made_data().save(data)
    describe(data, {"model": TASK.name, "source": "synthetic", "settings": {}}, {})
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
        cli.main()
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
    kelly = (sys.executable, "-c", "from kelly.cli import main; main()")  # the clone's
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
