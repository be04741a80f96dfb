"""GroovePredictor: timing and accents of the sixteenths of a bar, on the test split and in four emotions."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from kelly.evaluation.metrics import ACCENTS, TIMING, r2
from kelly.features.emotion import BLOCK_SIZE
from kelly.plots import style
from kelly.plots.density import density
from kelly.plots.labels import hundredths
from kelly.plots.plot_inputs import MARKERS, QUADRANTS, PlotInputs

Floats = NDArray[np.float64]

SIXTEENTHS = 16
COUNTED = tuple(f"{beat}" if part == 0 else ("e", "+", "a")[part - 1] for beat in range(1, 5) for part in range(4))
# The two halves of the outputs: name, unit, columns.
HALVES = (
    ("timing", "timing (half sixteenths, late above 0)", TIMING),
    ("accent", "accent (velocity / mean of the bar − 1)", ACCENTS),
)


def draw(inputs: PlotInputs) -> Figure:
    """For timing and accents: mean and spread of each sixteenth, the four quadrants, and predicted against true."""
    figure = style.figure(12.0, 6.4)
    rows = figure.subplots(2, 3, width_ratios=(1.35, 1.35, 1))
    quadrants = inputs.at_quadrants(lambda embedding: inputs_of(inputs, embedding))
    valid, targets = inputs.predictions.valid, np.asarray(inputs.predictions.sequences.targets, np.float64)
    for (left, middle, right), (name, unit, half) in zip(rows, HALVES, strict=True):
        baseline = inputs.baseline[half]
        padded = (np.where(valid, values, np.nan)[..., half] for values in (targets, inputs.predictions.outputs))
        true, predicted = (values.reshape(-1, SIXTEENTHS) for values in padded)
        bar(left, true, predicted, baseline)
        left.set(title=f"{name}: mean and spread, test split", ylabel=unit)
        in_emotions(middle, {quadrant: values[half] for quadrant, values in quadrants.items()}, baseline)
        middle.set_title(f"{name}: predictions for four emotions")
        true, predicted = inputs.predictions.values(half)
        density(right, true, predicted, -1, 1)
        score = r2(true, predicted, np.broadcast_to(baseline, valid[..., half].shape)[valid[..., half]])
        right.set(title=f"{name}: R² {hundredths(score)}", xlabel="true", ylabel="predicted", xticks=(-1, 0, 1))
        right.set_yticks((-1, 0, 1))
    rows[0, 0].legend(ncols=3, loc="upper left", fontsize="small")
    rows[0, 1].legend(ncols=5, loc="upper left", fontsize="small", columnspacing=1, handlelength=1.5)
    style.title(
        figure,
        f"{inputs.title}: timing and accents of the sixteenths of a bar",
        f"{inputs.test_split}; bands: ± one standard deviation; R² above 0: better than the baseline",
    )
    return figure


def inputs_of(inputs: PlotInputs, embedding: Floats) -> Floats:
    """Inputs [n, 64] of embeddings; zeros in place of the previous groove where the network takes one as context."""
    if inputs.settings.get("context") != "previous":
        return embedding
    return np.concatenate([np.zeros_like(embedding[:, :BLOCK_SIZE]), embedding[:, BLOCK_SIZE:]], axis=1)


def bar(axes: Axes, true: Floats, predicted: Floats, baseline: Floats) -> None:
    """Mean and spread of each sixteenth, from float64[n, 16] with nan where nothing was played."""
    x = np.arange(SIXTEENTHS)
    for values, colour, marker, label in (
        (true, style.TRUE, "s", "true"), (predicted, style.PREDICTED, "o", "predicted")
    ):  # fmt: skip
        valid = np.isfinite(values)
        count = np.maximum(1, valid.sum(axis=0))
        mean = np.where(valid, values, 0.0).sum(axis=0) / count
        deviation = np.sqrt(np.where(valid, (values - mean) ** 2, 0.0).sum(axis=0) / count)
        axes.fill_between(x, mean - deviation, mean + deviation, color=colour, alpha=0.15, linewidth=0)
        axes.plot(x, mean, marker=marker, markersize=4, color=colour, linewidth=1, label=label)
    format_bar(axes, baseline)


def in_emotions(axes: Axes, quadrants: dict[str, Floats], baseline: Floats) -> None:
    """The bar in each of four emotions."""
    for name, values in quadrants.items():
        axes.plot(range(SIXTEENTHS), values, marker=MARKERS[name], markersize=4, linewidth=1,
                  color=QUADRANTS[name][2], label=name)  # fmt: skip
    format_bar(axes, baseline)


def format_bar(axes: Axes, baseline: Floats) -> None:
    """Label the axis as musicians count a bar, and draw the training mean."""
    axes.plot(range(SIXTEENTHS), baseline, ":", color=style.BLUE, linewidth=1.5, label="baseline")
    axes.set_xticks(range(SIXTEENTHS), COUNTED)
    axes.set(ylim=(-1, 1), xlim=(-0.4, SIXTEENTHS - 0.6), xlabel="sixteenth of the bar", yticks=(-1, -0.5, 0, 0.5, 1))
    style.grid(axes, "both")
