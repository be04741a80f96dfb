"""The picture of `kelly inspect`: histograms of the nine coordinates and of the chords."""

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from kelly.atomic import replacing
from kelly.datasets.music.chords import CHORDS
from kelly.datasets.survey import BINS, Sums
from kelly.emotion import COORDINATES

BAR, MARK, QUIET = "#4a6fa5", "#d1495b", "#7a869a"


def draw(path: Path, title: str, sums: Sums) -> None:
    """Draw how often each chord comes, and the histograms of what is heard."""
    chords, heard = sums.chords, sums.heard
    has_chords = bool(chords.any())
    figure = plt.figure(figsize=(10, 9 if has_chords else 7), layout="constrained")
    grid = figure.add_gridspec(4 if has_chords else 3, 3)
    middles = (BINS[:-1] + BINS[1:]) / 2
    for i, name in enumerate(COORDINATES):
        axes = figure.add_subplot(grid[i // 3, i % 3])
        share = heard[i] / max(1, heard[i].sum())
        axes.bar(middles, share, width=BINS[1] - BINS[0], color=BAR)
        axes.axvline(float((share * middles).sum()), color=MARK, linewidth=1)
        axes.set(title=name, xlim=(-1, 1), yticks=[])
        axes.spines[["top", "right", "left"]].set_visible(False)
    if has_chords:
        axes = figure.add_subplot(grid[3, :])
        axes.bar(np.arange(len(CHORDS)), chords / chords.sum(), color=BAR)
        axes.set(title="chords, the tonic called C", xlim=(-1, len(CHORDS)), ylabel="share")
        axes.set_xticks(np.arange(len(CHORDS)), CHORDS, rotation=90, fontsize=6)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{title}\nwhat is heard before each window, −1..1; red: the mean", color=QUIET, fontsize=11)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, metadata={"Software": None})
    plt.close(figure)
