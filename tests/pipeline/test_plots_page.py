"""DVC's page with Vega in it: made once, named in the machine's own configuration, nothing of the user's touched."""

from pathlib import Path

import pytest

from kelly.pipeline import plots_page
from kelly.runtime.errors import KellyError


@pytest.fixture
def dvc(tmp_path: Path) -> Path:
    """A folder of DVC's."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    analytics = false\n")
    return tmp_path / ".dvc"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots_page, "page", lambda: "the page {plot_divs}")


def test_the_page_holds_all_that_it_needs(dvc: Path) -> None:
    assert plots_page.ensure(dvc)
    text = (dvc / "plots_page.html").read_text()
    assert "{plot_divs}" in text
    assert "{scripts}" not in text  # where DVC would name a server
    assert text.count("<script") == text.count("</script") == 1
    assert "cdn" not in text.split("<script>")[0]
    assert 500_000 < len(text) < 2_000_000


@pytest.mark.usefixtures("quick")
def test_the_page_is_made_once_and_named_in_the_own_configuration(dvc: Path) -> None:
    (dvc / "config.local").write_text("[cache]\n    dir = /elsewhere\n")
    assert plots_page.ensure(dvc)
    assert not plots_page.ensure(dvc)
    local = (dvc / "config.local").read_text()
    assert "html_template = plots_page.html" in local
    assert "dir = /elsewhere" in local
    assert "plots" not in (dvc / "config").read_text()


@pytest.mark.usefixtures("quick")
def test_comments_in_the_own_configuration_stay(dvc: Path) -> None:
    (dvc / "config.local").write_text("# mine\n[cache]\n    dir = /elsewhere  # here\n")
    assert plots_page.ensure(dvc)
    assert (dvc / "config.local").read_text() == (
        "# mine\n[cache]\n    dir = /elsewhere  # here\n[plots]\n    html_template = plots_page.html\n"
    )
    assert not plots_page.ensure(dvc)


@pytest.mark.usefixtures("quick")
def test_a_configuration_that_dvc_cannot_read_is_told(dvc: Path) -> None:
    (dvc / "config").write_text("[core\n")
    with pytest.raises(KellyError, match=r"DVC's configuration in .* cannot be read .*correct it"):
        plots_page.ensure(dvc)


@pytest.mark.usefixtures("quick")
def test_another_version_makes_it_anew_and_so_does_a_lost_page(dvc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plots_page.ensure(dvc)
    monkeypatch.setattr(plots_page, "version", lambda _: "99")
    assert plots_page.ensure(dvc)
    assert "vl-convert 99" in (dvc / "plots_page.html").read_text()
    (dvc / "plots_page.html").unlink()
    assert plots_page.ensure(dvc)
    assert (dvc / "plots_page.html").exists()


@pytest.mark.usefixtures("quick")
def test_a_page_of_the_users_own_stays(dvc: Path) -> None:
    (dvc / "config.local").write_text("[plots]\n    html_template = mine.html\n")
    assert not plots_page.ensure(dvc)
    assert "mine.html" in (dvc / "config.local").read_text()
    assert not (dvc / "plots_page.html").exists()


@pytest.mark.usefixtures("quick")
def test_a_folder_that_is_not_dvcs_is_left_alone(tmp_path: Path) -> None:
    assert not plots_page.ensure(tmp_path / ".dvc")
    assert list(tmp_path.iterdir()) == []


def test_git_does_not_see_the_page(project: Path) -> None:
    assert "/plots_page.html" in (project / ".dvc/.gitignore").read_text().splitlines()
