"""The pages of the results and of DVC's plots in a browser: quiet, without a network, for all widths and all eyes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from dvc_render import render_html
from dvc_render.image import ImageRenderer
from dvc_render.vega import VegaRenderer
from playwright.sync_api import Browser
from plots.test_predictions import small
from report.test_report_page import with_facts, written
from support.browser import PHONE_WIDTH, Opened, needs_chromium, open_page
from support.small_results import HISTORY, facts

from kelly.pipeline import plots_page
from kelly.plots.curves import Beside, training_curves
from kelly.plots.predictions import plot_predictions
from kelly.report.page import write_page
from kelly.tasks import TASKS

pytestmark = needs_chromium

SETTINGS = {"epochs": 50, "early_stopping_patience": 10}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of made-up results with real pictures, warnings and skipped files of long names."""
    folder = tmp_path_factory.mktemp("report")
    skipped = [{"file": "folder/" * 20 + f"{i}.mid", "reason": "no notes"} for i in range(8)]
    changes = {
        "melodytransformer": with_facts("melodytransformer", files=100, skipped=skipped),
        "dynamicsengine": facts("dynamicsengine", {"num_test_pieces": 12, "skill_low": -0.2}),
    }
    written(folder, changes)
    networks = {name: facts(name) for name in TASKS} | changes
    for name, task in TASKS.items():
        plots = folder / "trained_models/plots"
        plot_predictions(task, small(name), plots)
        training_curves(task, HISTORY, plots, SETTINGS, Beside(1.0, 0.25, 0.0))
    write_page(
        folder / "metrics", folder / "trained_models",
        {name: found.metadata for name, found in networks.items()},
        {name: found.about for name, found in networks.items()},
    )  # fmt: skip
    return folder / "metrics/report.html"


@pytest.fixture(scope="module")
def plots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of DVC's with a chart and a picture of two revisions, in our template."""
    folder = tmp_path_factory.mktemp("plots")
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").touch()
    plots_page.ensure(folder / ".dvc")
    points = [
        {"epoch": epoch, "val_loss": 1 / epoch + shift, "rev": rev}
        for rev, shift in (("workspace", 0.0), ("HEAD", 0.1))
        for epoch in range(1, 6)
    ]
    plot_predictions(TASKS["groovepredictor"], small("groovepredictor"), folder)
    pictures = [{"rev": rev, "src": str(folder / "groovepredictor_predictions.png")} for rev in ("workspace", "HEAD")]
    return Path(
        render_html(
            [VegaRenderer(points, "loss", x="epoch", y="val_loss"), ImageRenderer(pictures, "predictions.png")],
            folder / "index.html",
            html_template=folder / ".dvc" / plots_page.PAGE,
        )
    )


@pytest.fixture(params=[(1280, False), (1280, True), (PHONE_WIDTH, False)], ids=["light", "dark", "phone"])
def opened(browser: Browser, request: pytest.FixtureRequest, report: Path) -> Iterator[Opened]:
    width, dark = request.param
    with open_page(browser, report, width=width, dark=dark) as found:
        yield found


def test_the_report_is_quiet_fits_and_can_be_read_by_all(opened: Opened) -> None:
    assert not opened.scrolls_sideways
    opened.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert not opened.scrolls_sideways
    found = Axe().run(opened.page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []
    assert opened.page.locator("figure svg").count() == 3 * len(TASKS)
    assert opened.is_quiet, opened


def test_pictures_take_the_inks_of_a_dark_page(browser: Browser, report: Path) -> None:
    seen = {}
    for dark in (False, True):
        with open_page(browser, report, dark=dark) as found:
            seen[dark] = found.page.evaluate("getComputedStyle(document.querySelector('figure svg text')).fill")
    assert seen == {False: "rgb(34, 34, 34)", True: "rgb(232, 234, 237)"}


def test_the_keyboard_comes_first_to_the_results(browser: Browser, report: Path) -> None:
    with open_page(browser, report) as found:
        found.page.keyboard.press("Tab")
        assert found.page.evaluate("document.activeElement.textContent") == "To the results"
        assert found.page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
        found.page.keyboard.press("Enter")
        assert found.page.url.endswith("#main")


def test_on_paper_nothing_is_left_out(browser: Browser, report: Path) -> None:
    with open_page(browser, report) as found:
        found.page.emulate_media(media="print")
        assert not found.page.locator("nav").is_visible()
        assert len(found.page.pdf()) > 10_000


@pytest.mark.parametrize("dark", [False, True])
def test_dvcs_page_draws_its_charts_without_a_network(browser: Browser, plots: Path, dark: bool) -> None:
    with open_page(browser, plots, dark=dark) as found:
        found.page.wait_for_selector(".vega-embed svg.marks", timeout=20_000)
        assert found.page.locator(".vega-embed svg.marks").count() == 1
        first, second = (found.page.locator("img").nth(i).bounding_box() for i in (0, 1))
        assert first is not None
        assert second is not None
        assert first["y"] == second["y"]  # side by side
        assert second["x"] + second["width"] <= 1280
        assert not found.scrolls_sideways
        assert found.is_quiet, found
