"""GroovePredictor: timing and accents of the sixteenths of a bar, on the test split and in four emotions."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kelly.evaluation.metrics import ACCENTS, TIMING, Floats, r2
from kelly.features.emotion import BLOCK_SIZE
from kelly.plots import style
from kelly.plots.density import density
from kelly.plots.labels import hundredths
from kelly.plots.plot_inputs import MARKERS, QUADRANTS, PlotInputs

SIXTEENTHS = 16
COUNTED = ["1", "e", "+", "a", "2", "e", "+", "a", "3", "e", "+", "a", "4", "e", "+", "a"]
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
    valid, targets = inputs.predictions.valid, inputs.predictions.sequences.targets
    for (left, middle, right), (name, unit, half) in zip(rows, HALVES, strict=True):
        baseline = inputs.baseline[half]
        true_bars, predicted_bars = (
            np.ma.array(values, np.float64, mask=~valid)[..., half].reshape(-1, SIXTEENTHS)
            for values in (targets, inputs.predictions.outputs)
        )
        mean_and_spread(left, true_bars, style.TRUE, "s", "true")
        mean_and_spread(left, predicted_bars, style.PREDICTED, "o", "predicted")
        left.set(title=f"{name}: mean and spread, test split", ylabel=unit)
        for quadrant, values in quadrants.items():
            colour = QUADRANTS[quadrant][2]
            middle.plot(values[half], marker=MARKERS[quadrant], markersize=4, color=colour, linewidth=1, label=quadrant)
        middle.set_title(f"{name}: predictions for four emotions")
        for axes in (left, middle):
            format_bar(axes, baseline)
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


def mean_and_spread(axes: Axes, bars: Floats, colour: str, marker: str, label: str) -> None:
    """Mean and spread of each sixteenth, from a masked array [n, 16]; 0 where none was played."""
    mean, deviation = (np.ma.filled(values, 0.0) for values in (bars.mean(axis=0), bars.std(axis=0)))
    axes.fill_between(range(SIXTEENTHS), mean - deviation, mean + deviation, color=colour, alpha=0.15, linewidth=0)
    axes.plot(mean, marker=marker, markersize=4, color=colour, linewidth=1, label=label)


def format_bar(axes: Axes, baseline: Floats) -> None:
    """Label the axis as musicians count a bar, and draw the training mean."""
    axes.plot(baseline, ":", color=style.BLUE, linewidth=1.5, label="baseline")
    axes.set_xticks(range(SIXTEENTHS), COUNTED)
    axes.set(ylim=(-1, 1), xlim=(-0.4, SIXTEENTHS - 0.6), xlabel="sixteenth of the bar", yticks=(-1, -0.5, 0, 0.5, 1))
    style.grid(axes, "both")
