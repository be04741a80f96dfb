"""One style for all pictures: colours, lines, fonts, and how a figure becomes a PNG or an SVG for a page.

The colours are Okabe & Ito's, which people with any kind of colour vision tell apart ("Color universal design", 2008).
An SVG carries its text as text and its inks as CSS variables, so that it follows a light and a dark page; where no page
sets them, it is drawn as the PNG is.
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
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)  # in which several of a kind are drawn
TRAIN, VALIDATION, MARK = QUIET, BLUE, INK
TRUE, PREDICTED = INK, VERMILION

# The variables of a page (kelly/report/page.css) that take the place of an ink in an SVG.
VARIABLES = {
    INK: "ink", QUIET: "quiet", FAINT: "faint", PAPER: "paper",
    BLUE: "blue", ORANGE: "orange", GREEN: "green", PURPLE: "purple", SKY: "sky", VERMILION: "vermilion",
}  # fmt: skip

DPI = 110  # of a PNG
TITLE_SIZE = 11.0  # points
LEFT, LINE = 0.01, 1.4  # where a title begins, share of the width; from line to line, in its size
PAD_INCHES = 0.08  # around each part of a figure
RASTER_DPI = 150  # of what is drawn as dots within an SVG
# From nothing, which is the page itself, to one dark blue: equal steps look equal, in grey as well.
SHADES = LinearSegmentedColormap.from_list("shades", ["#f4f7fb", "#9ecae9", "#3182bd", "#08306b"])

mpl.rcParams.update(
    {
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],  # the first comes with matplotlib; a page may lack it
        "font.size": 9.0,
        "axes.titlesize": 10.0,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "figure.titlesize": TITLE_SIZE,
        "figure.titleweight": "bold",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": QUIET,
        "axes.labelcolor": INK,
        "axes.axisbelow": True,
        "axes.titlecolor": INK,
        "text.color": INK,
        "xtick.color": QUIET,
        "ytick.color": QUIET,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "grid.color": FAINT,
        "grid.linewidth": 0.8,
        "legend.frameon": False,
        "figure.facecolor": PAPER,
        "axes.facecolor": PAPER,
        "savefig.facecolor": PAPER,
        "svg.fonttype": "none",
        "svg.hashsalt": "kelly",
        "svg.image_inline": True,
    }
)


def figure(width: float = 7.0, height: float = 4.0) -> Figure:
    """An empty figure of so many inches, without pyplot, which looks for a screen."""
    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(h_pad=PAD_INCHES, w_pad=PAD_INCHES))


def title(drawn: Figure, text: str, more: str = "") -> None:
    """What a figure shows, and below it, in quiet, what is to be known of it."""
    if not more:
        drawn.suptitle(text, x=LEFT, horizontalalignment="left")
        return
    # A text has one weight. The layout makes room for the title alone, so it gets the second line as well, empty.
    above = drawn.suptitle(f"{text}\n ", x=LEFT, horizontalalignment="left")
    lower = above.get_position()[1] - LINE * TITLE_SIZE / 72 / drawn.get_figheight()
    drawn.text(LEFT, lower, more, verticalalignment="top", color=QUIET)


def grid(axes: Axes, axis: str = "y") -> None:
    """Draw lines behind what is drawn, across one axis or 'both'."""
    axes.grid(axis=axis)  # type: ignore[arg-type]
    axes.tick_params(length=0)


def frameless(axes: Axes) -> None:
    """Leave out the frame of a heat map, which its cells make."""
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def save(drawn: Figure, path: Path) -> None:
    """Write a PNG, whole or not at all; the same picture gives the same bytes."""
    with replacing(path) as temporary:
        drawn.savefig(temporary, dpi=DPI, metadata={"Software": None})


def save_both(drawn: Figure, path: Path) -> None:
    """Write a PNG at `path`, and the SVG of the same beside it."""
    # Laid out once, not by each of the two again; with a layout that is done for ("none") they would draw twice each.
    drawn.draw_without_rendering()
    drawn.set_layout_engine(None)
    save(drawn, path)
    with replacing(path.with_suffix(".svg")) as temporary:
        temporary.write_text(svg(drawn), encoding="utf-8")


def svg(drawn: Figure) -> str:
    """A figure as an SVG element for a page, in the page's inks: the same figure gives the same text."""
    buffer = io.StringIO()
    drawn.savefig(buffer, format="svg", dpi=RASTER_DPI, metadata={"Date": None, "Creator": None, "Format": None,
                                                                  "Type": None})  # fmt: skip
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    return with_variables(with_own_names(text, str(drawn.get_label()) or "figure"))


def with_own_names(text: str, prefix: str) -> str:
    """Put `prefix` before all ids of an SVG: two on one page must not share them."""
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    return re.sub(r'(url\(#|href="#)', rf"\g<1>{prefix}-", text)


def with_variables(text: str) -> str:
    """Put CSS variables in the place of the inks; what has no colour of its own gets the ink instead of black."""
    inks = {ink.lower(): name for ink, name in VARIABLES.items()}
    text = re.sub(
        r"#[0-9a-f]{6}\b",
        lambda found: f"var(--{inks[found[0]]}, {found[0]})" if found[0] in inks else found[0],
        text,
    )
    return text.replace("<svg ", f'<svg style="fill: var(--ink, {INK})" ', 1)
