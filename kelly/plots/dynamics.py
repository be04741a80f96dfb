"""DynamicsEngine: predicted against true values of its sixteen parameters, and their profile in four emotions."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kelly.evaluation.metrics import r2
from kelly.features.emotion import BLOCK_SIZE
from kelly.plots import style
from kelly.plots.density import density
from kelly.plots.labels import hundredths
from kelly.plots.plot_inputs import MARKERS, QUADRANTS, PlotInputs

COLUMNS = 4
MIN_VALUES = 5  # true values that R² needs


def draw(inputs: PlotInputs) -> Figure:
    """A density for each parameter, and below the profiles of the four quadrants of the emotion plane."""
    key = "names_on_drums" if inputs.settings.get("part") == "drums" else "names"  # drums have three of their own
    names = [name.replace("_", " ") for name in inputs.output_labels(key)]
    rows = -(-len(names) // COLUMNS)
    figure = style.figure(9.0, 2.2 * rows + 3.4)
    grid = figure.add_gridspec(rows + 1, COLUMNS, height_ratios=[1] * rows + [1.25])
    for i, name in enumerate(names):
        axes = figure.add_subplot(grid[i // COLUMNS, i % COLUMNS])
        true, predicted = inputs.predictions.values(i)
        enough = len(true) >= MIN_VALUES
        score = f"R² {hundredths(r2(true, predicted, inputs.baseline[i]))}" if enough else "too few true values"
        density(axes, true, predicted, 0, 1)
        axes.set_title(f"{name}\n{score}", fontsize="medium")
        axes.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        axes.set_ylabel("predicted" if i % COLUMNS == 0 else "")
        axes.set_xlabel("true (0..1)" if i // COLUMNS == rows - 1 else "")
    profiles(figure.add_subplot(grid[rows, :]), inputs, names)
    style.title(
        figure,
        f"{inputs.title}: sixteen expression parameters, predicted against true",
        f"{inputs.test_split}; dashed line: predicted = true; R² above 0: better than the baseline",
    )
    return figure


def profiles(axes: Axes, inputs: PlotInputs, names: list[str]) -> None:
    """All parameters in four emotions, with the training mean."""
    x = np.arange(len(names))
    axes.plot(x, inputs.baseline, ":", color=style.QUIET, linewidth=1.5, label="baseline: training mean")
    for name, values in inputs.at_quadrants(lambda embedding: embedding[:, :BLOCK_SIZE]).items():
        axes.plot(x, values, marker=MARKERS[name], color=QUADRANTS[name][2], linewidth=1, label=name)
    axes.set_xticks(x, names, rotation=35, horizontalalignment="right", rotation_mode="anchor")
    axes.set(title="predictions for four emotions", ylabel="parameter (0..1)", ylim=(-0.02, 1.02))
    style.grid(axes, "both")
    axes.legend(ncols=5, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.1)
