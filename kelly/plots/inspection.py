"""The plot of `kelly inspect`: histograms of the nine coordinates and of the chords."""

from pathlib import Path

import numpy as np

from kelly.features.emotion import COORDINATES
from kelly.features.vocabulary import CHORDS
from kelly.inspection.survey import BINS, Sums
from kelly.plots import style


def draw(path: Path, title: str, sums: Sums) -> None:
    """Plot histograms of the coordinates, and how often each chord comes."""
    chords, context = sums.chords, sums.context
    has_chords = bool(chords.any())
    figure = style.figure(10, 9 if has_chords else 7)
    grid = figure.add_gridspec(4 if has_chords else 3, 3)
    middles = (BINS[:-1] + BINS[1:]) / 2
    for i, name in enumerate(COORDINATES):
        axes = figure.add_subplot(grid[i // 3, i % 3])
        share = context[i] / max(1, context[i].sum())
        axes.bar(middles, share, width=BINS[1] - BINS[0], color=style.BLUE)
        axes.axvline(float((share * middles).sum()), color=style.VERMILION, linewidth=1)
        axes.set(title=name, xlim=(-1, 1), yticks=[])
        axes.spines["left"].set_visible(False)
    if has_chords:
        axes = figure.add_subplot(grid[3, :])
        axes.bar(np.arange(len(CHORDS)), chords / chords.sum(), color=style.BLUE)
        axes.set(title="chords, with the tonic as C", xlim=(-1, len(CHORDS)), ylabel="share")
        axes.set_xticks(np.arange(len(CHORDS)), CHORDS, rotation=90, fontsize=6)
    style.title(figure, f"{title}\ncoordinates of the context of each window, −1..1; line: mean")
    style.save(figure, path)
