"""A density plot of predicted against true values; on the diagonal they are equal."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from kelly.evaluation.metrics import Floats
from kelly.plots import style

NUM_BINS = 40


def density(axes: Axes, true: Floats, predicted: Floats, low: float, high: float) -> None:
    """Plot a 2-D histogram of true and predicted values, each [n] and clipped to low..high; darker is more frequent."""
    bins = np.linspace(low, high, NUM_BINS + 1)
    counts = np.histogram2d(np.clip(true, low, high), np.clip(predicted, low, high), bins=(bins, bins))[0].T
    norm = LogNorm(0.5, max(1.0, float(counts.max())))
    axes.pcolormesh(bins, bins, np.ma.masked_equal(counts, 0), cmap=style.SHADES, norm=norm, rasterized=True)
    axes.plot([low, high], [low, high], color=style.INK, linewidth=0.9, linestyle="--")
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
