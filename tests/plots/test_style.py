"""The style of plots: reproducible files, and SVGs in the colours of the page that contains them."""

import re
import xml.etree.ElementTree as ET
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from kelly.plots import style
from kelly.plots.labels import hundredths


def small_figure(label: str = "one") -> Figure:
    figure = style.figure(4, 3)
    figure.set_label(label)
    axes = figure.subplots()
    axes.plot([1, 2], [3, 4], color=style.BLUE, label="a line & <more>")
    axes.pcolormesh(np.eye(30), cmap=style.SHADES, rasterized=True)
    axes.text(1, 1, "a text")
    axes.legend()
    style.grid(axes, "both")
    style.title(figure, "the title", "the subtitle")
    return figure


@pytest.fixture(scope="module")
def svg() -> str:
    return style.svg(small_figure())


def test_an_svg_is_well_formed_and_keeps_its_text_as_text(svg: str) -> None:
    texts = {"".join(element.itertext()) for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}
    assert {"a line & <more>", "a text", "the title", "the subtitle"} <= texts


def test_all_colours_of_an_svg_are_variables_of_the_page(svg: str) -> None:
    assert svg.startswith('<svg style="fill: var(--ink, #222222)"')
    colours = set(re.findall(r"(?<!, )#[0-9a-f]{3,6}\b(?![-\w])", re.sub(r'(href|xlink:href|id)="[^"]*"', "", svg)))
    assert colours == set()
    assert not re.search(r"(fill|stroke): *black", svg)
    assert {"ink", "quiet", "faint", "paper", "blue"} <= set(re.findall(r"var\(--(\w+),", svg))


def test_the_page_defines_every_colour_for_light_dark_and_print(project: Path) -> None:
    sheet = (project / "kelly/report/page.css").read_text()
    for name in style.VARIABLES.values():
        assert len(re.findall(rf"--{name}: #", sheet)) == 3, name


def test_two_svgs_on_one_page_share_no_ids(svg: str) -> None:
    first, second = (set(re.findall(r'\bid="([^"]+)"', text)) for text in (svg, style.svg(small_figure("two"))))
    assert first
    assert not first & second
    assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg)) <= first


def test_dense_parts_of_an_svg_are_images_and_not_thousands_of_paths(svg: str) -> None:
    assert "data:image/png;base64," in svg
    assert len(svg) < 40_000


def test_the_same_plot_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        style.save_both(small_figure(), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert "Software" not in image.info


@pytest.mark.parametrize("kind", ["normal", "protan", "deutan", "tritan"])
def test_colours_differ_with_any_colour_vision(kind: str) -> None:
    # Viénot, Brettel & Mollon 1999 for protan and deutan; for tritan blue equals green.
    matrix = {
        "normal": np.eye(3),
        "protan": np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]),
        "deutan": np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]),
        "tritan": np.array([[1, 0.14461, -0.14461], [0, 0.85924, 0.14076], [0, 0.85924, 0.14076]]),
    }[kind]
    for one, other in combinations([style.INK, style.QUIET, *style.SERIES], 2):
        perceived = [np.clip(matrix @ np.power(to_rgb(c), 2.2), 0, 1) ** (1 / 2.2) for c in (one, other)]
        assert np.linalg.norm(perceived[0] - perceived[1]) > 0.11, (one, other)


def test_zero_has_no_minus_sign() -> None:
    assert [hundredths(value) for value in (-0.001, 0.404, -0.5)] == ["0.00", "0.40", "−0.50"]
