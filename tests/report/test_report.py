"""The results as a table and in words, and their place in the README."""

import json
from pathlib import Path
from typing import Any

import pytest

from kelly.commands import BEGIN, END, check, results
from kelly.evaluation.results import write_metrics
from kelly.report import table as report
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS

METADATA = {
    "data": {"num_train": 8_000, "num_validation": 2_000, "num_test": 2_500},
    "checkpoint": {"epoch": 7},
    "num_parameters": 1_234,
    "parity_error": 4.5e-7,
}
DATA: dict[str, dict[str, Any]] = {name: {"source": "synthetic", "facts": {}} for name in TASKS}
SCORES = {
    "loss": 0.5,
    "baseline_loss": 1.0,
    "ridge_loss": 0.75,
    "ridge_skill": 0.25,
    "ridge_gap": 0.25,
    "skill": 0.5,
    "stateful_skill": 0.25,
    "num_test_pieces": 3,
}


@pytest.fixture
def metrics(tmp_path: Path) -> Path:
    """A folder with the metrics of all networks; only one knows its floor."""
    for name, task in TASKS.items():
        scores = SCORES | {task.primary_metric: 0.9} | ({"floor_loss": 0.25} if name == "groovepredictor" else {})
        write_metrics(tmp_path, task, scores, METADATA, epochs=17)
    report.write_report(tmp_path, DATA)
    return tmp_path


def test_metrics_are_numbers_under_the_networks_name(metrics: Path) -> None:
    written = json.loads((metrics / "groovepredictor.json").read_text())
    assert written.keys() == {"groovepredictor"}
    assert written["groovepredictor"].items() >= {"loss": 0.5, "epochs": 17, "best_epoch": 7}.items()
    assert all(isinstance(value, int | float) for value in written["groovepredictor"].values())


def test_the_report_is_one_table_of_five_rows(metrics: Path) -> None:
    lines = [line for line in (metrics / "report.md").read_text().splitlines() if line.startswith("|")]
    assert len(lines) == 7
    assert lines[2].startswith(
        "| EmotionRecognizer | synthetic | 8,000 + 2,000 + 2,500 | 17 | 7 | 0.5000 MSE | 1.0000 "
    )
    assert "| not known | 0.500 (0.250) | cosine similarity 0.900 | 4.5e-07 | 1,234 |" in lines[2]
    assert "| 0.2500 | 0.500 | R² 0.900 |" in lines[6]


def test_the_report_says_of_each_network_in_words_how_it_stands(metrics: Path) -> None:
    paragraphs = [line for line in (metrics / "report.md").read_text().splitlines() if line.startswith("**")]
    assert [line.split("**")[1] for line in paragraphs] == [task.title for task in TASKS.values()]
    assert paragraphs[0] == (
        "**EmotionRecognizer**, synthetic: skill 0.500 (3 test pieces, too few for an interval). "
        "Ridge regression reaches 0.250 (difference 0.250)."
    )


def test_the_report_needs_every_network(metrics: Path) -> None:
    (metrics / "melodytransformer.json").unlink()
    with pytest.raises(KellyError, match="score the network first: dvc repro evaluate@melodytransformer"):
        report.write_report(metrics, DATA)


@pytest.mark.parametrize(
    "content",
    ["[]", "{", '{"groovepredictor": {}}', '{"groovepredictor": {"num_train": "x"}}', '{"groovepredictor": null}'],
)
def test_what_is_no_scores_is_told(metrics: Path, content: str) -> None:
    (metrics / "groovepredictor.json").write_text(content)
    with pytest.raises(
        KellyError, match=r"groovepredictor\.json holds no scores .* dvc repro evaluate@groovepredictor"
    ):
        report.write_report(metrics, DATA)


def test_the_report_lists_the_files_that_were_skipped(metrics: Path) -> None:
    assert "skipped" not in (metrics / "report.md").read_text()
    skipped = [{"file": f"{i}.mid", "reason": f"no notes,\n expected `one` ({i})"} for i in range(12)]
    data = DATA | {"groovepredictor": {"source": "groove", "facts": {"files": 1_021, "skipped": skipped}}}
    report.write_report(metrics, data)
    text = (metrics / "report.md").read_text()
    assert (
        "GroovePredictor: 12 of 1,021 files were skipped (all in `data/datasets/groovepredictor/dataset.json`)" in text
    )
    assert "\n- `0.mid`: no notes, expected 'one' (0)\n" in text
    assert text.endswith("(9)\n- and 2 more\n")


def test_the_table_goes_into_the_readme_between_its_marks(metrics: Path, capsys: pytest.CaptureFixture[str]) -> None:
    readme = metrics / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    results(metrics / "report.md", readme)
    assert readme.read_text() == f"before\n{BEGIN}\n{(metrics / 'report.md').read_text()}{END}\nafter\n"
    assert "| EmotionRecognizer |" in capsys.readouterr().out


def test_a_readme_without_marks_stays_as_it_was(metrics: Path) -> None:
    readme = metrics / "README.md"
    readme.write_text("no marks")
    with pytest.raises(KellyError, match="found no place for the results"):
        results(metrics / "report.md", readme)
    assert readme.read_text() == "no marks"


def test_check_names_the_source_of_each_network(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # where DVC has no configuration to be changed
    check(project / "params.yaml")
    assert "MelodyTransformer: corpus, 50 epochs at most" in capsys.readouterr().out


def test_the_projects_readme_holds_the_committed_report(project: Path) -> None:
    table = (project / "metrics/report.md").read_text()
    remedy = "bring it up to date: kelly results --readme README.md"
    assert f"{BEGIN}\n{table}{END}" in (project / "README.md").read_text(), remedy


def test_check_tells_what_of_a_search_cannot_be_tried(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (project / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("low: 0.0001, high: 0.01", "low: 0.1, high: 0.01"))
    with pytest.raises(KellyError, match=r"search\.learning_rate: .* expected a low that is less than high"):
        check(tmp_path / "params.yaml")
