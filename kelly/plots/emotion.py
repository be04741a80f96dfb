"""What EmotionRecognizer hears: predicted valence and arousal against true ones."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kelly.features.emotion import COORDINATES, decode
from kelly.plots import style
from kelly.plots.density import density, r2
from kelly.plots.labels import hundredths
from kelly.plots.plot_inputs import CORNERS, PlotInputs

Floats = NDArray[np.float64]

NUM_CELLS = 8  # a side of the plane
FEWEST = 5  # frames that a cell needs, to have a mean
FEELING = COORDINATES[:2]


def draw(shown: PlotInputs) -> Figure:
    """The emotion plane with an arrow from true to predicted, and the density of each of its two coordinates."""
    true, predicted = (decode(frames)[:, :2] for frames in shown.predicted.frames)
    constant = decode(shown.constant)[:2]
    figure = style.figure(9.0, 6.0)
    grid = figure.add_gridspec(2, 2, width_ratios=(2.1, 1))
    plane(figure.add_subplot(grid[:, 0]), true, predicted, constant)
    for i, name in enumerate(FEELING):
        axes = figure.add_subplot(grid[i, 1])
        density(axes, true[:, i], predicted[:, i], -1, 1)
        axes.set_title(f"{name}: R² {hundredths(r2(true[:, i], predicted[:, i], constant[i]))}")
        axes.set(xlabel=f"true {name} (−1..1)", ylabel="predicted", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    style.title(
        figure,
        f"{shown.title}: what is heard, beside what is true",
        f"{len(true):,} frames of {shown.test}: true (dot) → predicted (tip), mean of each cell",
    )
    return figure


def plane(axes: Axes, true: Floats, predicted: Floats, constant: Floats) -> None:
    """Arrows from the mean of the true emotions in a cell to the mean of what was predicted for them."""
    edges = np.linspace(-1, 1, NUM_CELLS + 1)
    cell = np.clip(np.digitize(true, edges[1:-1]), 0, NUM_CELLS - 1) @ (NUM_CELLS, 1)
    number = np.bincount(cell, minlength=NUM_CELLS**2)
    told = number >= FEWEST
    start, end = (
        np.stack([np.bincount(cell, values[:, i], NUM_CELLS**2)[told] / number[told] for i in (0, 1)], axis=1)
        for values in (true, predicted)
    )
    axes.set_xticks(edges, minor=True)
    axes.set_yticks(edges, minor=True)
    axes.grid(which="minor")
    axes.axhline(0, color=style.QUIET, linewidth=1)
    axes.axvline(0, color=style.QUIET, linewidth=1)
    axes.plot(*start.T, "o", color=style.TRUE, markersize=4)
    axes.quiver(*start.T, *(end - start).T, angles="xy", scale_units="xy", scale=1, color=style.PREDICTED,
                width=0.0045, headwidth=4.5, headlength=5, headaxislength=4.5, minlength=0, zorder=3)  # fmt: skip
    axes.plot(*constant, "x", color=style.BLUE, markersize=8, markeredgewidth=2, zorder=4)
    axes.annotate("baseline", (constant[0], constant[1]), (6, -12), textcoords="offset points", color=style.BLUE)
    for name, (valence, arousal, _) in CORNERS.items():
        axes.text(
            np.sign(valence) * 0.98, np.sign(arousal) * 0.98, name, color=style.QUIET, fontstyle="italic",
            horizontalalignment="right" if valence > 0 else "left",
            verticalalignment="top" if arousal > 0 else "bottom",
        )  # fmt: skip
    axes.set(xlim=(-1.0, 1.0), ylim=(-1.0, 1.0), aspect="equal")
    axes.set_xlabel("valence: unpleasant (−1) to pleasant (1)")
    axes.set_ylabel("arousal: quiet (−1) to excited (1)")
    axes.set_xticks((-1, -0.5, 0, 0.5, 1))
    axes.set_yticks((-1, -0.5, 0, 0.5, 1))
    axes.tick_params(which="minor", length=0)
