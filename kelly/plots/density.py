"""Predicted against true, as a density: on the line they are equal."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from numpy.typing import NDArray

from kelly.plots import style

Floats = NDArray[np.floating[Any]]


def density(axes: Axes, true: Floats, predicted: Floats, low: float, high: float, num_bins: int = 40) -> None:
    """Draw how often a prediction [n] meets a true value [n], both in low..high, darker where more often."""
    bins = np.linspace(low, high, num_bins + 1)
    counts = np.histogram2d(np.clip(true, low, high), np.clip(predicted, low, high), bins=(bins, bins))[0].T
    shown = np.ma.masked_equal(counts, 0)
    axes.pcolormesh(
        bins, bins, shown, cmap=style.SHADES, norm=LogNorm(0.5, max(1.0, float(counts.max()))), rasterized=True
    )
    axes.plot([low, high], [low, high], color=style.INK, linewidth=0.9, linestyle="--")
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")


def r2(true: Floats, predicted: Floats, constant: Floats | float) -> float:
    """1 − squared error / squared error of the training mean; nan where nothing varies."""
    spread = float(((true - constant) ** 2).sum())
    return 1 - float(((true - predicted) ** 2).sum()) / spread if spread > 0 else float("nan")
