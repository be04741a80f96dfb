"""One style for all plots: colours, lines and fonts, and saving figures as PNG and as SVG for an HTML page.

The colours are Okabe & Ito's, which people with any kind of colour vision can distinguish ("Color universal design",
2008). An SVG keeps text as text and colours as CSS variables, so that it follows a light or dark page; where no page
defines them, it looks like the PNG.
"""

import io
import re
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from kelly.runtime.atomic import replacing

BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION = "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"
INK, QUIET, FAINT, PAPER = "#222222", "#5f6368", "#d9dce1", "#ffffff"
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)  # colour cycle
TRAIN, VALIDATION, MARK = QUIET, BLUE, INK
TRUE, PREDICTED = INK, VERMILION

# The CSS variables (kelly/report/page.css) that replace each colour in an SVG.
VARIABLES = {
    INK: "ink", QUIET: "quiet", FAINT: "faint", PAPER: "paper",
    BLUE: "blue", ORANGE: "orange", GREEN: "green", PURPLE: "purple", SKY: "sky", VERMILION: "vermilion",
}  # fmt: skip

DPI = 110  # of a PNG
TITLE_SIZE = 11.0  # points
LEFT, LINE = 0.01, 1.4  # left edge of a title, as a fraction of the width; line spacing, in font sizes
PAD_INCHES = 0.08  # around each subplot
RASTER_DPI = 150  # of rasterized parts of an SVG
# From nearly white to dark blue; perceptually even, in grey too.
SHADES = LinearSegmentedColormap.from_list("shades", ["#f4f7fb", "#9ecae9", "#3182bd", "#08306b"])

mpl.rc("font", family="sans-serif", size=9.0)
mpl.rc("font", **{"sans-serif": ["DejaVu Sans", "Verdana", "Arial"]})  # only the first comes with matplotlib
mpl.rc("text", color=INK)
mpl.rc("axes", titlesize=10.0, titleweight="bold", titlelocation="left", titlecolor=INK)
mpl.rc("axes", edgecolor=QUIET, labelcolor=INK, facecolor=PAPER, axisbelow=True)
mpl.rc("axes.spines", top=False, right=False)
mpl.rc("xtick", color=QUIET, labelcolor=INK)
mpl.rc("ytick", color=QUIET, labelcolor=INK)
mpl.rc("grid", color=FAINT, linewidth=0.8)
mpl.rc("legend", frameon=False)
mpl.rc("text", parse_math=False)  # a $ in the name of a folder or a revision does not start a formula
mpl.rc("figure", titlesize=TITLE_SIZE, titleweight="bold", facecolor=PAPER)
mpl.rc("savefig", facecolor=PAPER)
mpl.rc("svg", fonttype="none", hashsalt="kelly", image_inline=True)


def figure(width: float, height: float) -> Figure:
    """An empty figure, sizes in inches; without pyplot, which looks for a display."""
    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(h_pad=PAD_INCHES, w_pad=PAD_INCHES))


def title(fig: Figure, text: str, subtitle: str = "") -> None:
    """Put a title and a quieter subtitle above a figure."""
    # A text has one weight, and the layout reserves space for the title alone: an empty second line makes space.
    above = fig.suptitle(f"{text}\n " if subtitle else text, x=LEFT, horizontalalignment="left")
    lower = above.get_position()[1] - LINE * TITLE_SIZE / 72 / fig.get_figheight()
    fig.text(LEFT, lower, subtitle, verticalalignment="top", color=QUIET)


def grid(axes: Axes, axis: str = "y") -> None:
    """Draw grid lines of one axis, or of 'both'."""
    axes.grid(axis=axis)  # type: ignore[arg-type]
    axes.tick_params(length=0)


def frameless(axes: Axes) -> None:
    """Remove the frame around a heat map."""
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def save(fig: Figure, path: Path) -> None:
    """Write a PNG atomically; the same plot gives the same bytes."""
    with replacing(path) as temporary:
        fig.savefig(temporary, dpi=DPI, metadata={"Software": None})


def save_both(fig: Figure, path: Path) -> None:
    """Write a PNG at `path`, and the same plot as SVG next to it."""
    # Lay out once, not once per format. With the engine "none" instead of None each would draw twice.
    fig.draw_without_rendering()
    fig.set_layout_engine(None)
    save(fig, path)
    with replacing(path.with_suffix(".svg")) as temporary:
        temporary.write_text(svg(fig), encoding="utf-8")


def svg(fig: Figure) -> str:
    """A figure as an SVG element in the colours of the page; the same figure gives the same text."""
    buffer = io.StringIO()
    fig.savefig(buffer, format="svg", dpi=RASTER_DPI, metadata={"Date": None, "Creator": None, "Format": None,
                                                                  "Type": None})  # fmt: skip
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # Two SVGs on one page must not share ids.
    prefix = str(fig.get_label()) or "figure"
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", text)
    variables = {colour.lower(): name for colour, name in VARIABLES.items()}
    text = re.sub(r"#[0-9a-f]{6}\b", lambda m: f"var(--{variables[m[0]]}, {m[0]})" if m[0] in variables else m[0], text)
    return text.replace("<svg ", f'<svg style="fill: var(--ink, {INK})" ', 1)  # the default is the ink, not black
