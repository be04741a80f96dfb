"""The pages of the results and of `dvc plots` in a browser: offline, responsive and accessible."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from dvc_render import render_html
from dvc_render.image import ImageRenderer
from dvc_render.vega import VegaRenderer
from playwright.sync_api import Browser, expect
from support.browser import PHONE_WIDTH, needs_chromium, open_page
from support.small_plots import small_plot_inputs
from support.small_results import HISTORY, small_page, small_results

from kelly.pipeline import plots_page
from kelly.plots import style
from kelly.plots.curves import plot_curves
from kelly.plots.predictions import plot_predictions
from kelly.tasks import TASKS

pytestmark = needs_chromium

LINES = {"loss": {"baseline": 1.0, "floor": 0.25}, "metric": {"baseline": 0.0}}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with plots, warnings and skipped files of long names."""
    folder = tmp_path_factory.mktemp("report")
    task = TASKS["groovepredictor"]  # of the others the plots are empty: twelve more would only be slow
    plot_predictions(task, small_plot_inputs(task.name), folder / "plots")
    plot_curves(task, HISTORY, folder / "plots", {"epochs": 50, "early_stopping_patience": 10}, LINES)
    skipped = [{"file": "folder/" * 20 + f"{i}.mid", "reason": "no notes"} for i in range(8)]
    small_page(
        folder,
        small_results("melodytransformer", files=100, skipped=skipped),
        small_results("dynamicsengine", {"num_test_pieces": 12, "skill_low": -0.2}),
    )
    return folder / "report.html"


@pytest.fixture(scope="module")
def plots_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our template of the page of `dvc plots`."""
    folder = tmp_path_factory.mktemp("template") / ".dvc"
    folder.mkdir()
    (folder / "config").touch()
    plots_page.ensure(folder)
    return folder / plots_page.PAGE


def write_plots(template: Path, folder: Path, *revisions: str) -> Path:
    """A page of `dvc plots`, with a chart and an image of each revision."""
    points = [
        {"epoch": epoch, "val_loss": 1 / epoch + shift, "rev": rev}
        for shift, rev in enumerate(revisions)
        for epoch in range(1, 6)
    ]
    style.save(style.figure(12, 6), folder / "plot.png")
    images = [{"rev": rev, "src": str(folder / "plot.png")} for rev in revisions]
    renderers = [VegaRenderer(points, "loss", x="epoch", y="val_loss"), ImageRenderer(images, "predictions.png")]
    return Path(render_html(renderers, folder / "index.html", html_template=template))


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (PHONE_WIDTH, False)])
def test_the_report_is_offline_responsive_and_accessible(
    browser: Browser, report: Path, width: int, dark: bool
) -> None:
    with open_page(browser, report, width=width, dark=dark) as opened:
        assert not opened.scrolls_sideways
        opened.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert not opened.scrolls_sideways
        violations = Axe().run(opened.page).response["violations"]
        assert [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in violations] == []
        assert opened.page.locator("figure svg").count() == 3 * len(TASKS)
        assert opened.is_quiet, opened


def test_plots_follow_the_colours_of_a_dark_page(browser: Browser, report: Path) -> None:
    fills = {}
    for dark in (False, True):
        with open_page(browser, report, dark=dark) as opened:
            fills[dark] = opened.page.evaluate("getComputedStyle(document.querySelector('figure svg text')).fill")
    assert fills == {False: "rgb(34, 34, 34)", True: "rgb(232, 234, 237)"}


def test_the_first_tab_stop_skips_to_the_results_and_a_print_has_no_navigation(browser: Browser, report: Path) -> None:
    with open_page(browser, report) as opened:
        opened.page.keyboard.press("Tab")
        assert "Skip" in opened.page.evaluate("document.activeElement.textContent")
        assert opened.page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
        opened.page.keyboard.press("Enter")
        expect(opened.page).to_have_url(re.compile("#main$"))
        opened.page.emulate_media(media="print")
        assert not opened.page.locator("nav").is_visible()
        assert len(opened.page.pdf()) > 10_000


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_of_dvc_plots_draws_its_charts_offline(
    browser: Browser, plots_template: Path, tmp_path: Path, dark: bool
) -> None:
    with open_page(browser, write_plots(plots_template, tmp_path, "workspace", "HEAD"), dark=dark) as opened:
        opened.page.wait_for_selector(".vega-embed svg.marks", timeout=20_000)
        assert opened.page.locator(".vega-embed svg.marks").count() == 1
        first, second = (opened.page.locator("img").nth(i).bounding_box() for i in (0, 1))
        assert first and second  # noqa: PT018, for mypy
        assert first["y"] == second["y"]  # side by side
        assert second["x"] + second["width"] <= 1280
        assert not opened.scrolls_sideways
        assert opened.is_quiet, opened


@pytest.mark.parametrize(
    "name",
    [
        "</script><script>document.title = 'run'</script>",
        "</template><script>document.title = 'run'</script>",
        "<img src=x onerror=\"document.title = 'run'\">",
        "</script></template><img src=x onerror=\"document.title = 'run'\">",
        "<iframe src='data:text/html,run'></iframe>",
    ],
)
def test_the_name_of_a_revision_is_no_script_in_the_page_of_dvc_plots(
    browser: Browser, plots_template: Path, tmp_path: Path, name: str
) -> None:
    with open_page(browser, write_plots(plots_template, tmp_path, "main", name)) as opened:
        expect(opened.page.locator("h1")).to_have_text("Plots")
        opened.page.wait_for_timeout(200)
        assert opened.page.title() == "Plots: dvc plots"
        assert not opened.requests
        if "</" not in name:
            opened.page.wait_for_selector(".vega-embed svg.marks", timeout=20_000)
