"""metrics/{model}.json, and report.md with its summary table."""

import html
import json
import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from support.small_results import SCORES, all_results, small_results

from kelly.evaluation.results import read_history, read_metrics, write_metrics
from kelly.report.model_results import ModelResults
from kelly.report.table import summary_table, write_report
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS

METADATA = {
    "data": {"num_train": 8_000, "num_validation": 2_000, "num_test": 2_500},
    "checkpoint": {"epoch": 7},
    "num_parameters": 1_234,
    "parity_error": 4.5e-7,
}
NAMES = (
    "<!-- end -->.mid", "a`b``c.mid", "a | b.mid", "# a\n\n| b |\n| --- |\n", "- a", "1. a", "> a", "    a", "```",
    "[x](http://y) ![z](w) *a* __b__ ~~c~~ &amp; \\* $x$",
)  # fmt: skip


def report(folder: Path, *changed: ModelResults) -> str:
    write_report(folder, all_results(*changed))
    return (folder / "report.md").read_text()


def test_metrics_are_numbers_under_the_name_of_the_network(tmp_path: Path) -> None:
    write_metrics(tmp_path, TASKS["groovepredictor"], dict(SCORES), METADATA, epochs=17)
    content = json.loads((tmp_path / "groovepredictor.json").read_text())
    assert content == {"groovepredictor": read_metrics(tmp_path, "groovepredictor")}
    assert content["groovepredictor"].items() >= {"loss": 0.5, "epochs": 17, "best_epoch": 7}.items()
    assert all(isinstance(value, int | float) for value in content["groovepredictor"].values())


@pytest.mark.parametrize("content", [None, "[]", "{"])
def test_a_file_without_metrics_is_an_error(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "groovepredictor.json").write_text(content)
    with pytest.raises(KellyError, match=r"groovepredictor\.json .* dvc repro evaluate@groovepredictor"):
        read_metrics(tmp_path, "groovepredictor")


def test_a_file_without_a_history_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "history.json").write_text('{"epoch": []}')
    with pytest.raises(KellyError, match="is not a training history"):
        read_history(tmp_path / "history.json")


def test_the_report_begins_with_the_summary_table(tmp_path: Path) -> None:
    trigram = {"loss": 0.49, "skill": 0.68, "gap": -0.01, "gap_low": -0.02, "gap_high": 0.01}
    scores = {f"trigram_given_mode_{name}": value for name, value in trigram.items()}
    harmony = small_results("harmonypredictor", scores)
    summary = summary_table(all_results(harmony))
    assert report(tmp_path, harmony).partition("\n\n")[0] + "\n" == summary
    rows = [line.strip("| ").split(" | ") for line in summary.splitlines()]
    assert rows[0] == ["Network", "Data", "Loss", "Baseline", "Skill", "Best reference"]
    assert rows[2][:4] == ["EmotionRecognizer", "synthetic", "0.5000 MSE", "1.0000"]
    assert rows[2][4:] == ["0.666 (0.600 to 0.700)", "ridge 0.333: better"]
    assert rows[4][5] == "trigram given mode 0.680: no difference"
    assert len(rows) == 2 + len(TASKS)


def test_the_report_has_a_full_table_and_a_paragraph_per_network(tmp_path: Path) -> None:
    text = report(tmp_path, small_results("groovepredictor", {"floor_loss": None, "skill_low": None}))
    full = [line for line in text.split("\n\n")[1].splitlines() if line.startswith("|")]
    assert full[2].startswith("| EmotionRecognizer | 800 + 100 + 100 | 4 | 3 | 0.5000 MSE | 1.0000 | 0.7500 | 0.2500 |")
    assert full[2].endswith("| 0.666 (0.500) | cosine similarity 0.900 | 4.5e-08 | 1,234 |")
    assert "| unknown | 0.666 | R² 0.900 |" in full[6]
    paragraphs = [line for line in text.splitlines() if line.startswith("**")]
    assert [line.split("**")[1] for line in paragraphs] == [task.title for task in TASKS.values()]


@pytest.mark.parametrize("key", ["ridge_loss", "num_train"])
def test_a_missing_score_is_an_error(key: str, tmp_path: Path) -> None:
    with pytest.raises(KellyError, match="dvc repro -f -s evaluate report"):
        report(tmp_path, small_results(scores={key: None}))


def test_the_report_lists_skipped_files(tmp_path: Path) -> None:
    assert "skipped" not in report(tmp_path)
    skipped = [{"file": f"{i}.mid", "reason": f"no notes,\n expected one ({i})"} for i in range(12)]
    text = report(tmp_path, small_results("groovepredictor", files=1_021, skipped=skipped))
    assert "GroovePredictor: 12 of 1,021 files were skipped" in text
    assert "\n- 0.mid: no notes, expected one (0)\n" in text
    assert text.endswith("(9)\n- and 2 more\n")


@pytest.mark.parametrize("name", NAMES)
def test_names_and_reasons_are_plain_text_in_markdown(name: str, tmp_path: Path) -> None:
    text = report(tmp_path, small_results(files=100, skipped=[{"file": name, "reason": name}]))
    assert "<!--" not in text  # escaped with a backslash, it would still be a mark of `kelly results`
    items = re.findall("<li>(.*?)</li>", MarkdownIt().enable(["table", "strikethrough"]).render(text), re.S)
    plain = html.escape(" ".join(name.split()), quote=False)
    assert items == [f"{plain}: {plain}"]


def test_unprintable_characters_are_escaped(tmp_path: Path) -> None:
    text = report(tmp_path, small_results(files=100, skipped=[{"file": "a\x1b\udcff.mid", "reason": "broken"}]))
    assert "\n- a\\\\x1b\\\\udcff.mid: broken\n" in text
