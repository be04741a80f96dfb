"""How DynamicsEngine would play: its sixteen parameters predicted against true, and their profile in four emotions."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kelly.features.emotion import BLOCK_SIZE
from kelly.plots import style
from kelly.plots.density import density, r2
from kelly.plots.labels import hundredths
from kelly.plots.plot_inputs import CORNERS, MARKERS, PlotInputs

COLUMNS = 4
FEWEST = 5  # true values that a density needs


def draw(shown: PlotInputs) -> Figure:
    """A density for each parameter, and below the profiles of the four corners of the emotion plane."""
    targets = np.asarray(shown.predicted.sequences.targets, np.float64)
    names = [name.replace("_", " ") for name in shown.meaning(names_of(shown))]
    rows = -(-len(names) // COLUMNS)
    figure = style.figure(9.0, 2.2 * rows + 3.4)
    grid = figure.add_gridspec(rows + 1, COLUMNS, height_ratios=[1] * rows + [1.25])
    for i, name in enumerate(names):
        axes = figure.add_subplot(grid[i // COLUMNS, i % COLUMNS])
        there = shown.predicted.there[..., i]
        true, predicted = (values[..., i][there] for values in (targets, shown.predicted.outputs))
        told = f"R² {hundredths(r2(true, predicted, shown.constant[i]))}" if len(true) >= FEWEST else "hardly ever told"
        density(axes, true, predicted, 0, 1)
        axes.set_title(f"{name}\n{told}", fontsize="medium")
        axes.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        if i % COLUMNS == 0:
            axes.set_ylabel("predicted")
        if i // COLUMNS == rows - 1:
            axes.set_xlabel("true (0..1)")
    profiles(figure.add_subplot(grid[rows, :]), shown, names)
    style.title(
        figure,
        f"{shown.title}: sixteen expression parameters, predicted beside true",
        f"{shown.test}; on the dashed line both are equal; R² is above 0 where the baseline is beaten",
    )
    return figure


def names_of(shown: PlotInputs) -> str:
    """Under which key the export names the parameters: drums have three of their own."""
    return "names_on_drums" if shown.settings.get("part") == "drums" else "names"


def profiles(axes: Axes, shown: PlotInputs, names: list[str]) -> None:
    """All parameters in four emotions, beside the training mean."""
    at = np.arange(len(names))
    axes.plot(at, shown.constant, ":", color=style.QUIET, linewidth=1.5, label="baseline: training mean")
    for corner, values in shown.at_corners(lambda embedding: embedding[:, :BLOCK_SIZE]).items():
        axes.plot(at, values, marker=MARKERS[corner], color=CORNERS[corner][2], linewidth=1, label=corner)
    axes.set_xticks(at, names, rotation=35, horizontalalignment="right", rotation_mode="anchor")
    axes.set(title="as it would play four emotions", ylabel="parameter (0..1)", ylim=(-0.02, 1.02))
    style.grid(axes, "both")
    axes.legend(ncols=5, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.1)
