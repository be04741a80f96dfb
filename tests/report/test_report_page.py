"""The page of the results: what stands on it, that names of files cannot change it, and that it comes out the same."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from support.small_results import facts, write

from kelly.report.model_results import Facts
from kelly.report.page import bar, number, strong, write_page
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS

VOID = {"meta", "br", "rect", "path", "link", "img"}


class Structure(HTMLParser):
    """Headings, ids and links of a page; closed tags are checked."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if tag == "a" else []
        self.sources += [given[name] for name in ("src", "srcset", "data") if name in given]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def written(folder: Path, changes: dict[str, Facts] | None = None) -> str:
    """The page of made-up results, some networks otherwise."""
    networks = {name: facts(name) for name in TASKS} | (changes or {})
    write(folder, networks)
    write_page(
        folder / "metrics", folder / "trained_models",
        {name: found.metadata for name, found in networks.items()},
        {name: found.about for name, found in networks.items()},
    )  # fmt: skip
    return (folder / "metrics/report.html").read_text()


def with_facts(name: str, **more: Any) -> Facts:
    whole = facts(name)
    return replace(whole, about={**whole.about, "facts": {**whole.about["facts"], **more}})


def test_all_networks_stand_on_the_page_with_ordered_headings(tmp_path: Path) -> None:
    page = Structure(written(tmp_path))
    assert page.headings.count(1) == 1
    assert page.headings[0] == 1
    assert all(later - earlier <= 1 for earlier, later in zip(page.headings, page.headings[1:], strict=False))
    assert set(TASKS) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)


def test_the_page_takes_nothing_from_a_network(tmp_path: Path) -> None:
    text = written(tmp_path)
    assert Structure(text).sources == []
    assert not re.search(r"https?://(?!www\.w3\.org)", text)
    assert "<script" not in text
    assert "@import" not in text


def test_the_same_results_give_the_same_page(tmp_path: Path) -> None:
    assert written(tmp_path / "a") == written(tmp_path / "b")


def test_names_of_files_and_reasons_cannot_change_the_page(tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>&\"'"
    skipped = [{"file": f"{i}{bad}.mid", "reason": f"no {bad}"} for i in range(8)]
    found = with_facts("melodytransformer", files=100, skipped=skipped, note=bad)
    settings = replace(
        found, about={**found.about, "settings": {"path": bad}}, metadata={**found.metadata, "origin": bad}
    )
    text = written(tmp_path, {"melodytransformer": settings})
    assert "<script" not in text
    assert "0&lt;script&gt;alert(1)&lt;/script&gt;" in text
    Structure(text)


def test_skipped_files_are_counted_and_the_rest_is_asked_for(tmp_path: Path) -> None:
    skipped = [{"file": f"{i}.mid", "reason": "no notes"} for i in range(8)]
    text = written(tmp_path, {"melodytransformer": with_facts("melodytransformer", files=1_000, skipped=skipped)})
    assert "8 of 1,000 files were skipped" in text
    assert "3 more skipped files of MelodyTransformer" in text
    assert "7.mid" in text


def test_warnings_stand_at_the_top_and_in_the_section(tmp_path: Path) -> None:
    text = written(tmp_path, {"dynamicsengine": facts("dynamicsengine", {"num_test_pieces": 12})})
    assert text.count("12 test pieces only") == 2
    assert text.index("12 test pieces only") < text.index('id="summary"')
    assert "Nothing is conspicuous" in written(tmp_path)


def test_commands_of_all_and_of_each_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where git knows nothing of the commit
    text = written(tmp_path)
    assert text.count("git checkout 0123456789abcdef") == len(TASKS) + 1
    assert text.count("dvc exp run -S ") == len(TASKS) + 1
    assert "evaluate@melodytransformer" in text


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("metrics/groovepredictor.json", "[]", "score it first: dvc repro evaluate@groovepredictor"),
        ("trained_models/history/groovepredictor_history.json", '{"epoch": []}', "is not a history"),
        (
            "trained_models/plots/groovepredictor_loss.svg",
            None,
            "draw it again: dvc repro -f -s evaluate@groovepredictor",
        ),
    ],
)
def test_what_is_missing_is_told(path: str, content: str | None, said: str, tmp_path: Path) -> None:
    written(tmp_path)
    if content is None:
        (tmp_path / path).unlink()
    else:
        (tmp_path / path).write_text(content)
    networks = {name: facts(name) for name in TASKS}
    with pytest.raises(KellyError, match=said):
        write_page(
            tmp_path / "metrics", tmp_path / "trained_models",
            {name: found.metadata for name, found in networks.items()},
            {name: found.about for name, found in networks.items()},
        )  # fmt: skip


@pytest.mark.parametrize(
    "key", ["code", "torch_version", "file", "sha256", "params", "data", "loss", "ridge_loss", "num_train"]
)
def test_what_an_export_or_its_scores_do_not_tell_is_told(key: str, tmp_path: Path) -> None:
    whole = facts("groovepredictor")
    cut: dict[str, Any] = {
        name: {k: v for k, v in getattr(whole, name).items() if k != key} for name in ("metadata", "scores")
    }
    assert any(len(cut[name]) < len(getattr(whole, name)) for name in cut)
    with pytest.raises(KellyError, match=f"lack what the page tells .*{key}.*; export and score the networks again"):
        written(tmp_path, {"groovepredictor": replace(whole, **cut)})


def test_the_interval_lies_where_the_skill_says() -> None:
    assert bar({"skill": 0.5, "skill_low": 0.25, "skill_high": 0.75}, 0.0) == {
        "zero": 0.0, "skill": 50.0, "low": 25.0, "width": 50.0
    }  # fmt: skip
    assert bar({"skill": -5.0}, -1.0) == {"zero": 50.0, "skill": 0.0, "low": 0.0, "width": 0.0}


@pytest.mark.parametrize(
    ("value", "expected"),
    [(12_500, "12,500"), (-0.12345678, "−0.1235"), (True, "true"), (None, "null"), (["a", 1], "a, 1"), (3e-9, "3e−09")],
)
def test_numbers_are_written_for_people(value: object, expected: str) -> None:
    assert number(value) == expected


def test_emphasis_of_a_verdict_is_kept_and_all_else_escaped() -> None:
    assert strong("**A** <b>\n") == "<strong>A</strong> &lt;b&gt;"
