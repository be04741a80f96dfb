"""The picture of `kelly compare`: the losses of each network over the epochs, a colour for each group of runs."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kelly.atomic import replacing
from kelly.experiments.revisions import Run
from kelly.plots import LOSS_NAMES, MARK
from kelly.tasks import Task

COLOURS = colormaps["tab10"].colors  # type: ignore[attr-defined]


def draw(path: Path, networks: Sequence[tuple[Task, Sequence[Sequence[Run]]]]) -> None:
    """Draw validation losses as lines, training losses thin and dashed, the best epoch as a dot.

    networks: each with its groups of runs
    """
    figure = Figure(figsize=(8, 0.6 + 4 * len(networks)), layout="constrained")  # without pyplot, as in kelly.plots
    for axes, (task, groups) in zip(figure.subplots(len(networks), squeeze=False)[:, 0], networks, strict=True):
        for i, group in enumerate(groups):
            colour, label = COLOURS[i % len(COLOURS)], ", ".join(run.name for run in group)
            for run in group:
                if "val_loss" not in run.history:
                    continue
                epochs, losses = run.history["epoch"], run.history["val_loss"]
                axes.plot(epochs, run.history["train_loss"], color=colour, linewidth=0.8, linestyle="--")
                axes.plot(epochs, losses, color=colour, linewidth=1.4, label=label)
                best = min(range(len(epochs)), key=losses.__getitem__)
                axes.plot(epochs[best], losses[best], "o", color=colour, markeredgecolor=MARK, zorder=3)
                label = "_"  # one entry a group
        axes.set(title=task.title, xlabel="epoch", ylabel=LOSS_NAMES[task.loss], yscale="log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", which="both", alpha=0.3)
        if axes.lines:
            axes.legend(edgecolor="none", framealpha=0.9)
    figure.suptitle("line: validation, dashed: training, dot: best epoch", fontsize=10)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, metadata={"Software": None})
