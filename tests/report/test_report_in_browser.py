"""The pages of the results and of `dvc plots` in a browser: offline, responsive and accessible."""

import math
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from dvc_render import render_html
from dvc_render.image import ImageRenderer
from dvc_render.vega import VegaRenderer
from playwright.sync_api import Browser, Dialog, expect
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
        "</script><script>alert(1)</script>",
        "</plaintext></template></textarea></xmp>--><script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "</script></template><meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>",
        "</script></template><style>h1 { display: none }</style><base href=http://127.0.0.1:9/>",
        "<iframe src='data:text/html,<script>alert(1)</script>'></iframe>",
        "a$_{b${refresh_tag} \\u003c 'b' \"c\" # ? % &lt;",
    ],
)
def test_the_name_of_a_revision_is_text_in_the_page_of_dvc_plots(
    browser: Browser, plots_template: Path, tmp_path: Path, name: str
) -> None:
    page = write_plots(plots_template, tmp_path, "main", name)
    with open_page(browser, page) as opened:
        dialogs: list[str] = []

        def dismiss(dialog: Dialog) -> None:
            dialogs.append(dialog.message)
            dialog.dismiss()

        opened.page.on("dialog", dismiss)
        opened.page.reload()
        opened.page.wait_for_selector(".vega-embed svg.marks", timeout=20_000)
        shown = name.replace("{refresh_tag}", "")  # DVC replaces it everywhere
        assert shown in opened.page.locator("figure p").all_inner_texts()
        assert any(shown[:20] in text for text in opened.page.locator("svg.marks text").all_text_contents())
        assert opened.page.locator("h1").is_visible()
        assert opened.page.locator("script, iframe, base, style, meta").count() == 5  # ours: 1, 0, 0, 1, 3
        assert opened.page.url == page.as_uri()
        assert dialogs == []
        assert opened.is_quiet, opened


def test_charts_with_nan_tooltips_and_menus_work_under_the_policy(
    browser: Browser, plots_template: Path, tmp_path: Path
) -> None:
    points = [{"epoch": epoch, "loss": loss, "rev": "</script>"} for epoch, loss in enumerate((3.0, math.nan, 1.0))]
    chart = VegaRenderer(points, "loss", x="epoch", y="loss")
    page = Path(render_html([chart], tmp_path / "index.html", html_template=plots_template))
    with open_page(browser, page) as opened:
        opened.page.wait_for_selector(".vega-embed svg.marks", timeout=20_000)
        opened.page.locator("summary").click()
        with opened.page.expect_download() as download:
            opened.page.get_by_text("Save as SVG").click()
        assert "<svg" in download.value.path().read_text()
        opened.page.locator("svg.marks").hover()
        assert opened.is_quiet, opened


def test_a_page_of_plots_that_are_of_another_form_says_so(
    browser: Browser, plots_template: Path, tmp_path: Path
) -> None:
    page = tmp_path / "index.html"
    page.write_text(plots_template.read_text().replace("{plot_divs}", "<div>of another version</div>"))
    with open_page(browser, page) as opened:
        expect(opened.page.locator("h1 ~ p")).to_contain_text("perhaps of another version of DVC")


@pytest.mark.parametrize("kind", ["report", "plots"])
def test_nothing_but_the_scripts_and_styles_of_the_page_is_allowed(
    browser: Browser, report: Path, plots_template: Path, tmp_path: Path, kind: str
) -> None:
    page = report if kind == "report" else write_plots(plots_template, tmp_path, "main")
    with open_page(browser, page) as opened:
        opened.page.evaluate("""() => {
            for (const [tag, text] of [["script", "document.title = 'run'"], ["style", "body { color: red }"]])
                document.body.append(Object.assign(document.createElement(tag), { textContent: text }));
            document.body.append(Object.assign(document.createElement("img"), { src: "http://127.0.0.1:9/" }));
            fetch("http://127.0.0.1:9/").catch(() => {});
        }""")
        opened.page.wait_for_timeout(100)
        assert opened.page.title() != "run"
        assert opened.page.evaluate("getComputedStyle(document.body).color") != "rgb(255, 0, 0)"
        assert opened.requests == []
        assert len([m for m in opened.messages if "Content Security Policy" in m]) >= 4, opened.messages
