"""EmotionRecognizer: predicted valence and arousal against the true ones."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kelly.evaluation.metrics import Floats, r2
from kelly.features.emotion import COORDINATES, decode
from kelly.plots import style
from kelly.plots.density import density
from kelly.plots.labels import hundredths
from kelly.plots.plot_inputs import QUADRANTS, PlotInputs

NUM_CELLS = 8  # along each axis of the plane
MIN_FRAMES = 5  # in a cell, for a mean
TICKS = (-1, -0.5, 0, 0.5, 1)


def draw(inputs: PlotInputs) -> Figure:
    """The emotion plane with arrows from true to predicted, and the density of each of its two coordinates."""
    true, predicted = (decode(frames)[:, :2] for frames in inputs.predictions.frames)
    baseline = decode(inputs.baseline)[:2]
    figure = style.figure(9.0, 6.0)
    grid = figure.add_gridspec(2, 2, width_ratios=(2.1, 1))
    plane(figure.add_subplot(grid[:, 0]), true, predicted, baseline)
    for i, name in enumerate(COORDINATES[:2]):
        axes = figure.add_subplot(grid[i, 1])
        density(axes, true[:, i], predicted[:, i], -1, 1)
        axes.set_title(f"{name}: R² {hundredths(r2(true[:, i], predicted[:, i], baseline[i]))}")
        axes.set(xlabel=f"true {name} (−1..1)", ylabel="predicted", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    style.title(
        figure,
        f"{inputs.title}: predicted against true emotion",
        f"{len(true):,} frames of {inputs.test_split}; arrows: true (dot) → predicted (tip), mean of each cell",
    )
    return figure


def plane(axes: Axes, true: Floats, predicted: Floats, baseline: Floats) -> None:
    """Arrows from the mean true emotion in a cell to the mean of its predictions."""
    edges = np.linspace(-1, 1, NUM_CELLS + 1)
    cell = np.clip(np.digitize(true, edges[1:-1]), 0, NUM_CELLS - 1) @ (NUM_CELLS, 1)
    counts = np.bincount(cell, minlength=NUM_CELLS**2)
    enough = counts >= MIN_FRAMES
    start, end = (
        np.stack([np.bincount(cell, values[:, i], NUM_CELLS**2)[enough] / counts[enough] for i in (0, 1)], axis=1)
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
    axes.plot(*baseline, "x", color=style.BLUE, markersize=8, markeredgewidth=2, zorder=4)
    axes.annotate("baseline", (baseline[0], baseline[1]), (6, -12), textcoords="offset points", color=style.BLUE)
    for name, (valence, arousal, _) in QUADRANTS.items():
        axes.text(
            np.sign(valence) * 0.98, np.sign(arousal) * 0.98, name, color=style.QUIET, fontstyle="italic",
            horizontalalignment="right" if valence > 0 else "left",
            verticalalignment="top" if arousal > 0 else "bottom",
        )  # fmt: skip
    axes.set(xlim=(-1.0, 1.0), ylim=(-1.0, 1.0), xticks=TICKS, yticks=TICKS, aspect="equal")
    axes.set(xlabel="valence: unpleasant (−1) to pleasant (1)", ylabel="arousal: quiet (−1) to excited (1)")
