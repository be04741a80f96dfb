"""Pictures of a training run: loss and metric over the epochs, best epoch, how it ended, and between what it lies."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from kelly.evaluation.results import best_row
from kelly.plots import style
from kelly.plots.labels import LOSS_NAMES, metric_name
from kelly.tasks import Task

WIDE = 4.0  # times the least loss: what reaches further is drawn on a logarithmic axis
FAR = 6.0  # times what the curves span: a level further from them would press them flat, and is only told
LEVELS = {"baseline": (style.VERMILION, "-."), "floor": (style.GREEN, (0, (6, 2)))}  # colour, line


@dataclass(frozen=True)
class Beside:
    """Levels beside the curves, all on the validation side.

    baseline, metric: loss and metric of the training mean
    floor: loss of the best possible prediction, None where it is not known
    """

    baseline: float
    floor: float | None
    metric: float


def training_curves(
    task: Task, history: Mapping[str, list[Any]], folder: Path, settings: Mapping[str, Any], beside: Beside
) -> None:
    """Draw `{model}_loss.png` and `{model}_metric.png` from the columns of a history, each as SVG as well.

    settings: of the training
    """
    end = ending(history["epoch"][-1], settings["epochs"], settings["early_stopping_patience"])
    loss = {"baseline": beside.baseline, "floor": beside.floor}
    for kind, name, levels in (
        ("loss", LOSS_NAMES[task.loss], loss),
        ("metric", metric_name(task.metric), {"baseline": beside.metric}),
    ):
        drawn = curves(history, kind, name, {level: at for level, at in levels.items() if at is not None})
        drawn.set_label(f"{task.name}-{kind}")
        style.title(drawn, f"{task.title}: {name} over the epochs", end)
        style.save_both(drawn, folder / f"{task.name}_{kind}.png")


def ending(last: int, epochs: int, patience: int) -> str:
    """How a run ended, in words."""
    if last >= epochs:
        return f"reached its last epoch, {last}"
    return f"stopped early after epoch {last} of {epochs}: {patience} epochs without progress"


def curves(history: Mapping[str, list[Any]], kind: str, name: str, levels: Mapping[str, float]) -> Figure:
    """The curves of 'loss' or 'metric'.

    name: of the quantity; levels: what is drawn across, by the keys of LEVELS
    """
    figure = style.figure(7.0, 4.4)
    axes = figure.subplots()
    at, best = history["epoch"], best_row(history)
    trained, validated = history[f"train_{kind}"], history[f"val_{kind}"]
    dot = "." if len(at) == 1 else ""
    axes.plot(at, trained, color=style.TRAIN, linestyle="--", marker=dot, label="train")
    axes.plot(at, validated, color=style.VALIDATION, linewidth=2, marker=dot, label="validation")
    axes.axvline(at[best], color=style.QUIET, linestyle=":", linewidth=1)
    axes.plot(at[best], validated[best], "o", color=style.MARK, zorder=3,
              label=f"best epoch {at[best]}: {validated[best]:.4g}".replace("-", "−"))  # fmt: skip
    # A diverging run may hold what no axis can show.
    seen = [value for value in (*trained, *validated) if math.isfinite(value)] or [0.0]
    if kind == "loss" and min(seen) > 0 and max(*seen, *levels.values()) > WIDE * min(*seen, *levels.values()) > 0:
        by_ratio(axes)
    across(axes, levels, seen)
    axes.set(xlabel="epoch", ylabel=name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    margin = 0.02 * len(at)
    axes.set_xlim(at[0] - margin, at[-1] + margin)
    style.grid(axes)
    figure.legend(loc="outside lower left", ncols=2)
    return figure


def by_ratio(axes: Axes) -> None:
    """A logarithmic axis with plain numbers."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def across(axes: Axes, levels: Mapping[str, float], seen: Sequence[float]) -> None:
    """Draw levels across; one that lies far from the curves is told in the legend alone."""
    told = {"baseline": "baseline (best constant, validation)", "floor": "floor (best possible, validation)"}
    scale = math.log if axes.get_yscale() == "log" else float
    low, high = scale(min(seen)), scale(max(seen))
    reach = FAR * (high - low or abs(high) or 1.0)
    for level, value in levels.items():
        label, (colour, line) = f"{told[level]}: {value:.4g}".replace("-", "−"), LEVELS[level]
        if low - reach <= scale(value) <= high + reach:
            axes.axhline(value, color=colour, linestyle=line, linewidth=1.4, label=label)
        else:
            axes.plot([], [], color=colour, linestyle=line, linewidth=1.4, label=f"{label}, not in view")
