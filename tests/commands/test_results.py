"""`kelly results`: prints the first table of the report, and copies it into the README."""

from argparse import Namespace
from pathlib import Path

import pytest

from kelly.commands.results import BEGIN, END, run
from kelly.runtime.errors import KellyError

SUMMARY = "| Network |\n| --- |\n| EmotionRecognizer |\n"


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.md"
    path.write_text(f"{SUMMARY}\nmore\n")
    return path


def test_the_summary_table_is_copied_between_the_marks(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    readme = report.with_name("README.md")
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    run(Namespace(report=report, readme=readme))
    assert readme.read_text() == f"before\n{BEGIN}\n{SUMMARY}{END}\nafter\n"
    assert capsys.readouterr().out.startswith(f"{SUMMARY}\nDetails: ")


@pytest.mark.parametrize("content", ["no marks", f"{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_a_file_without_one_pair_of_marks_stays_as_it_is(content: str, report: Path) -> None:
    readme = report.with_name("README.md")
    readme.write_text(content)
    with pytest.raises(KellyError, match=r"README\.md .*once each"):
        run(Namespace(report=report, readme=readme))
    assert readme.read_text() == content


def test_a_table_with_a_mark_in_it_is_not_copied(report: Path) -> None:
    readme = report.with_name("README.md")
    readme.write_text(before := f"{BEGIN}\nold\n{END}\n")
    report.write_text(f"| {END}.mid |\n\nmore\n")
    with pytest.raises(KellyError, match=r"report\.md: its table contains"):
        run(Namespace(report=report, readme=readme))
    assert readme.read_text() == before


def test_a_missing_report_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KellyError, match=r"report\.md is missing"):
        run(Namespace(report=tmp_path / "report.md", readme=None))
