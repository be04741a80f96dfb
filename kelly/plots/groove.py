"""How GroovePredictor would play a bar: timing and accents of its sixteenths, on the test side and in four emotions."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kelly.features.emotion import BLOCK_SIZE
from kelly.plots import style
from kelly.plots.density import density, r2
from kelly.plots.labels import hundredths
from kelly.plots.plot_inputs import CORNERS, MARKERS, PlotInputs

Floats = NDArray[np.float64]

SIXTEENTHS = 16
COUNTED = tuple(f"{beat}" if part == 0 else ("e", "+", "a")[part - 1] for beat in range(1, 5) for part in range(4))
# What the outputs hold, and its unit.
HALVES = (("timing", "timing (half sixteenths, late above 0)"), ("accent", "accent (velocity / mean of the bar − 1)"))


def draw(shown: PlotInputs) -> Figure:
    """For timing and accents: mean and spread of each sixteenth, the four corners, and predicted against true."""
    figure = style.figure(12.0, 6.4)
    rows = figure.subplots(2, 3, width_ratios=(1.35, 1.35, 1))
    corners = shown.at_corners(lambda embedding: inputs_of(shown, embedding))
    there, targets = shown.predicted.there, np.asarray(shown.predicted.sequences.targets, np.float64)
    for half, (name, unit) in enumerate(HALVES):
        part = slice(half * SIXTEENTHS, (half + 1) * SIXTEENTHS)
        true = np.where(there, targets, np.nan)[..., part].reshape(-1, SIXTEENTHS)
        predicted = np.where(there, shown.predicted.outputs, np.nan)[..., part].reshape(-1, SIXTEENTHS)
        bar(rows[half, 0], true, predicted, shown.constant[part])
        rows[half, 0].set(title=f"{name}: mean and spread, test side", ylabel=unit)
        in_emotions(rows[half, 1], {corner: values[part] for corner, values in corners.items()}, shown.constant[part])
        rows[half, 1].set_title(f"{name}: as it would play four emotions")
        known = np.isfinite(true)
        constant = np.broadcast_to(shown.constant[part], true.shape)[known]
        density(rows[half, 2], true[known], predicted[known], -1, 1)
        value = r2(true[known], predicted[known], constant)
        rows[half, 2].set(title=f"{name}: R² {hundredths(value)}", xlabel="true", ylabel="predicted", xticks=(-1, 0, 1))
        rows[half, 2].set_yticks((-1, 0, 1))
    rows[0, 0].legend(ncols=3, loc="upper left", fontsize="small")
    rows[0, 1].legend(ncols=5, loc="upper left", fontsize="small", columnspacing=1, handlelength=1.5)
    style.title(
        figure,
        f"{shown.title}: timing and accents of the sixteenths of a bar",
        f"{shown.test}; bands: one standard deviation each way; R² is above 0 where the baseline is beaten",
    )
    return figure


def inputs_of(shown: PlotInputs, embedding: Floats) -> Floats:
    """Inputs [n, 64] of embeddings; where the network is given the groove heard, none was heard."""
    if shown.settings.get("context") != "previous":
        return embedding
    return np.concatenate([np.zeros_like(embedding[:, :BLOCK_SIZE]), embedding[:, BLOCK_SIZE:]], axis=1)


def bar(axes: Axes, true: Floats, predicted: Floats, constant: Floats) -> None:
    """Mean and spread of each sixteenth, float64[n, 16] with nan where nothing was played."""
    at = np.arange(SIXTEENTHS)
    for values, colour, marker, label in (
        (true, style.TRUE, "s", "true"), (predicted, style.PREDICTED, "o", "predicted")
    ):  # fmt: skip
        known = np.isfinite(values)
        number = np.maximum(1, known.sum(axis=0))
        mean = np.where(known, values, 0.0).sum(axis=0) / number
        deviation = np.sqrt(np.where(known, (values - mean) ** 2, 0.0).sum(axis=0) / number)
        axes.fill_between(at, mean - deviation, mean + deviation, color=colour, alpha=0.15, linewidth=0)
        axes.plot(at, mean, marker=marker, markersize=4, color=colour, linewidth=1, label=label)
    counted(axes, constant)


def in_emotions(axes: Axes, corners: dict[str, Floats], constant: Floats) -> None:
    """The bar in each of four emotions."""
    for corner, values in corners.items():
        axes.plot(range(SIXTEENTHS), values, marker=MARKERS[corner], markersize=4, linewidth=1,
                  color=CORNERS[corner][2], label=corner)  # fmt: skip
    counted(axes, constant)


def counted(axes: Axes, constant: Floats) -> None:
    """A bar along the axis, counted as musicians count it, and the training mean."""
    axes.plot(range(SIXTEENTHS), constant, ":", color=style.BLUE, linewidth=1.5, label="baseline")
    axes.set_xticks(range(SIXTEENTHS), COUNTED)
    axes.set(ylim=(-1, 1), xlim=(-0.4, SIXTEENTHS - 0.6), xlabel="sixteenth of the bar", yticks=(-1, -0.5, 0, 0.5, 1))
    style.grid(axes, "both")
