"""The plot of `kelly compare`: the losses of each network by epoch, one colour per group of runs."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.ticker import MaxNLocator

from kelly.experiments.revisions import Run
from kelly.plots import style
from kelly.plots.labels import LOSS_NAMES
from kelly.runtime.text import printable
from kelly.tasks import Task


def draw(path: Path, networks: Sequence[tuple[Task, Sequence[Sequence[Run]]]]) -> None:
    """Plot validation losses as lines, training losses thin and dashed, the best epoch as a dot.

    networks: each with its groups of runs
    """
    figure = style.figure(8, 0.6 + 4 * len(networks))
    for axes, (task, groups) in zip(figure.subplots(len(networks), squeeze=False)[:, 0], networks, strict=True):
        lines = {}
        for i, group in enumerate(groups):
            colour, label = style.SERIES[i % len(style.SERIES)], ", ".join(run.name for run in group)
            for run in group:
                if "val_loss" not in run.history:
                    continue
                epochs, losses = run.history["epoch"], run.history["val_loss"]
                axes.plot(epochs, run.history["train_loss"], color=colour, linewidth=0.8, linestyle="--")
                (lines[printable(label)],) = axes.plot(epochs, losses, color=colour, linewidth=1.4)
                best = min(range(len(epochs)), key=losses.__getitem__)
                axes.plot(epochs[best], losses[best], "o", color=colour, markeredgecolor=style.MARK, zorder=3)
        axes.set(title=task.title, xlabel="epoch", ylabel=LOSS_NAMES[task.loss], yscale="log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", which="both")
        if lines:
            axes.legend(lines.values(), lines.keys())  # explicit: a label of a line that begins with _ is left out
    style.title(figure, "Loss by epoch: validation (line), training (dashed), best epoch (dot)")
    style.save(figure, path)
