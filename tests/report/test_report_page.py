"""report.html: its structure, reproducibility, and robustness against names of files and missing values."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from support.small_results import all_results, small_page, small_results, with_metadata

from kelly.report.page import bar, number, strong, write_page
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS

VOID = {"meta", "br", "rect", "path", "link", "img"}


class Tags(HTMLParser):
    """Asserts that all tags of a page are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open += [] if tag in VOID else [tag]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def test_the_page_has_a_section_per_network_ordered_headings_and_valid_links(tmp_path: Path) -> None:
    text = small_page(tmp_path)
    Tags(text)
    headings = [int(level) for level in re.findall(r"<h([1-6])", text)]
    assert headings.count(1) == 1
    assert headings[0] == 1
    assert max(np.diff(headings)) == 1
    ids, links = re.findall(r'\bid="([^"]+)"', text), re.findall(r'<a [^>]*\bhref="([^"]+)"', text)
    assert set(TASKS) <= set(ids)
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in links} <= set(ids)


def test_the_page_is_self_contained_and_reproducible(tmp_path: Path) -> None:
    text = small_page(tmp_path / "a")
    assert not re.search(r"https?://(?!www\.w3\.org)|<script|@import|\b(src|srcset|data)=", text)
    assert text == small_page(tmp_path / "b")


def test_skipped_files_are_escaped_counted_and_mostly_folded_away(tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>&\"'"
    skipped = [{"file": f"{i}{bad}.mid", "reason": f"no {bad}"} for i in range(8)]
    results = with_metadata(small_results("melodytransformer", files=1_000, skipped=skipped, note=bad), origin=bad)
    text = small_page(tmp_path, replace(results, dataset={**results.dataset, "settings": {"path": bad}}))
    assert "<script" not in text
    assert "7&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "8 of 1,000 files were skipped" in text
    assert "3 more skipped files of MelodyTransformer" in text
    Tags(text)


def test_warnings_are_at_the_top_and_in_the_section(tmp_path: Path) -> None:
    parts = small_page(tmp_path, small_results("dynamicsengine", {"num_test_pieces": 12})).split('id="summary"')
    assert [part.count("Only 12 test pieces") for part in parts] == [1, 1]


def test_the_page_has_commands_for_each_network_and_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where git does not know the commit
    text = small_page(tmp_path)
    assert text.count("git checkout 0123456789abcdef") == len(TASKS) + 1
    assert text.count("dvc exp run -S ") == len(TASKS) + 1
    assert "evaluate@melodytransformer" in text


def test_a_missing_plot_is_an_error(tmp_path: Path) -> None:
    small_page(tmp_path)
    (tmp_path / "plots/groovepredictor_loss.svg").unlink()
    with pytest.raises(KellyError, match=r"groovepredictor_loss\.svg .* dvc repro -f -s evaluate@groovepredictor"):
        write_page(tmp_path, all_results(), tmp_path / "plots")


@pytest.mark.parametrize("key", ["code", "torch_version", "file", "sha256", "params", "data", "loss", "num_train"])
def test_a_missing_value_is_an_error(key: str, tmp_path: Path) -> None:
    results = small_results(scores={key: None})
    metadata = {name: value for name, value in results.metadata.items() if name != key}
    with pytest.raises(KellyError, match=f"{key}.*dvc repro -f -s export evaluate report"):
        small_page(tmp_path, replace(results, metadata=metadata))


def test_the_bar_shows_skill_interval_and_zero_in_per_cent() -> None:
    middle = bar({"skill": 0.5, "skill_low": 0.25, "skill_high": 0.75}, 0.0)
    assert middle == {"zero": 0.0, "skill": 50.0, "low": 25.0, "width": 50.0}
    assert bar({"skill": -5.0}, -1.0) == {"zero": 50.0, "skill": 0.0, "low": 0.0, "width": 0.0}


@pytest.mark.parametrize(
    ("value", "expected"),
    [(12_500, "12,500"), (-0.12345678, "−0.1235"), (True, "true"), (None, "null"), (["a", 1], "a, 1"), (3e-9, "3e−09")],
)
def test_numbers_are_readable(value: object, expected: str) -> None:
    assert number(value) == expected


def test_emphasis_is_kept_and_all_else_escaped() -> None:
    assert strong("**A** <b>\n") == "<strong>A</strong> &lt;b&gt;"


def test_text_that_changes_the_direction_of_writing_is_escaped(tmp_path: Path) -> None:
    bad = "a\u202e\x1b\udcff.mid"
    results = small_results("groovepredictor", files=9, skipped=[{"file": bad, "reason": bad}], unit=bad)
    text = small_page(tmp_path, with_metadata(results, origin=bad))
    assert text.count(r"a\u202e\x1b\udcff.mid") >= 4
    assert all(c.isprintable() or c == "\n" for c in text)
