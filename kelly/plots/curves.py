"""Training curves: loss and metric over the epochs, with the best epoch, the baseline and the floor."""

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

LOG_RATIO = 4.0  # of the largest to the smallest loss; beyond it the axis is logarithmic
MAX_DISTANCE = 6.0  # times the range of the curves; a reference line further away is only named in the legend
# Label, colour and line style of each reference line.
LINES: Mapping[str, tuple[str, str, Any]] = {
    "baseline": ("baseline (best constant, validation)", style.VERMILION, "-."),
    "floor": ("floor (best possible, validation)", style.GREEN, (0, (6, 2))),
}


@dataclass(frozen=True)
class ReferenceLines:
    """Values to compare the curves with, all on the validation split.

    baseline_loss, baseline_metric: of the training mean
    floor_loss: of the best possible prediction, None if it is not known
    """

    baseline_loss: float
    floor_loss: float | None
    baseline_metric: float


def plot_curves(
    task: Task, history: Mapping[str, list[Any]], folder: Path, training: Mapping[str, Any], lines: ReferenceLines
) -> None:
    """Write `{model}_loss.png` and `{model}_metric.png`, each as SVG too, from the columns of a history.

    training: its settings
    """
    subtitle = stop_reason(history["epoch"][-1], training["epochs"], training["early_stopping_patience"])
    loss = {"baseline": lines.baseline_loss, "floor": lines.floor_loss}
    for kind, name, values in (
        ("loss", LOSS_NAMES[task.loss], {line: value for line, value in loss.items() if value is not None}),
        ("metric", metric_name(task.metric), {"baseline": lines.baseline_metric}),
    ):
        figure = curves(history, kind, name, values)
        figure.set_label(f"{task.name}-{kind}")
        style.title(figure, f"{task.title}: {name} by epoch", subtitle)
        style.save_both(figure, folder / f"{task.name}_{kind}.png")


def stop_reason(last: int, epochs: int, patience: int) -> str:
    """Why training ended."""
    if last >= epochs:
        return f"reached its last epoch, {last}"
    return f"stopped early after epoch {last} of {epochs}: no improvement for {patience} epochs"


def curves(history: Mapping[str, list[Any]], kind: str, name: str, lines: Mapping[str, float]) -> Figure:
    """The curves of 'loss' or 'metric'.

    name: label of the y axis; lines: values of reference lines, by the keys of LINES
    """
    figure = style.figure(7.0, 4.4)
    axes = figure.subplots()
    epochs, best = history["epoch"], best_row(history)
    train, validation = history[f"train_{kind}"], history[f"val_{kind}"]
    marker = "." if len(epochs) == 1 else ""
    axes.plot(epochs, train, color=style.TRAIN, linestyle="--", marker=marker, label="train")
    axes.plot(epochs, validation, color=style.VALIDATION, linewidth=2, marker=marker, label="validation")
    axes.axvline(epochs[best], color=style.QUIET, linestyle=":", linewidth=1)
    axes.plot(epochs[best], validation[best], "o", color=style.MARK, zorder=3,
              label=f"best epoch {epochs[best]}: {validation[best]:.4g}".replace("-", "−"))  # fmt: skip
    # The history of a run that diverged contains nan.
    finite = [value for value in (*train, *validation) if math.isfinite(value)] or [0.0]
    values = [*finite, *lines.values()]
    if kind == "loss" and max(values) > LOG_RATIO * min(values) > 0:
        use_log_scale(axes)
    draw_lines(axes, lines, finite)
    axes.set(xlabel="epoch", ylabel=name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    margin = 0.02 * len(epochs)
    axes.set_xlim(epochs[0] - margin, epochs[-1] + margin)
    style.grid(axes)
    figure.legend(loc="outside lower left", ncols=2)
    return figure


def use_log_scale(axes: Axes) -> None:
    """Make the y axis logarithmic, with plain numbers."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def draw_lines(axes: Axes, lines: Mapping[str, float], curve: Sequence[float]) -> None:
    """Draw horizontal reference lines; one that is far from the values of `curve` only gets an entry in the legend."""
    scale = math.log if axes.get_yscale() == "log" else float
    low, high = scale(min(curve)), scale(max(curve))
    reach = MAX_DISTANCE * (high - low or abs(high) or 1.0)
    for line, value in lines.items():
        label, colour, linestyle = LINES[line]
        label = f"{label}: {value:.4g}".replace("-", "−")
        if low - reach <= scale(value) <= high + reach:
            axes.axhline(value, color=colour, linestyle=linestyle, linewidth=1.4, label=label)
        else:
            axes.plot([], [], color=colour, linestyle=linestyle, linewidth=1.4, label=f"{label}, not in view")
