"""Training curves: loss and metric over the epochs, with the best epoch, the baseline and the floor."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from kelly.data.dataset import Sequences
from kelly.evaluation.baselines import constant_predictions, mean_target
from kelly.evaluation.metrics import HISTORY_METRICS, Predictions, mean_loss
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
Lines = Mapping[str, float]  # values of reference lines, by the keys of LINES


def reference_lines(task: Task, splits: Mapping[str, Sequences]) -> dict[str, Lines]:
    """The reference lines of 'loss' and 'metric' on the validation split, from 'train' and 'validation'.

    The baseline is the training mean; the floor is the loss of the oracle, where the data has one.
    """
    validation = splits["validation"]
    baseline = constant_predictions(validation, mean_target(task, splits["train"]))
    loss = {"baseline": mean_loss(task.loss, baseline)}
    if validation.oracle is not None:
        loss["floor"] = mean_loss(task.loss, Predictions(validation, np.asarray(validation.oracle, np.float64)))
    # A history measures R² against the mean of its own split.
    mean = constant_predictions(validation, mean_target(task, validation))
    return {"loss": loss, "metric": {"baseline": HISTORY_METRICS[task.metric](baseline, mean)}}


def plot_curves(
    task: Task, history: Mapping[str, list[Any]], folder: Path, training: Mapping[str, Any], lines: Mapping[str, Lines]
) -> None:
    """Write `{model}_loss.png` and `{model}_metric.png`, each as SVG too, from the columns of a history.

    training: its settings; lines: those of `reference_lines`
    """
    subtitle = stop_reason(history["epoch"][-1], training["epochs"], training["early_stopping_patience"])
    for kind, name in (("loss", LOSS_NAMES[task.loss]), ("metric", metric_name(task.metric))):
        figure = curves(history, kind, name, lines[kind])
        figure.set_label(f"{task.name}-{kind}")
        style.title(figure, f"{task.title}: {name} by epoch", subtitle)
        style.save_both(figure, folder / f"{task.name}_{kind}.png")


def stop_reason(last: int, epochs: int, patience: int) -> str:
    """Why training ended."""
    if last >= epochs:
        return f"reached its last epoch, {last}"
    return f"stopped early after epoch {last} of {epochs}: no improvement for {patience} epochs"


def curves(history: Mapping[str, list[Any]], kind: str, name: str, lines: Lines) -> Figure:
    """The curves of 'loss' or 'metric'. name: label of the y axis."""
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
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    draw_lines(axes, lines, finite)
    axes.set(xlabel="epoch", ylabel=name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    margin = 0.02 * len(epochs)
    axes.set_xlim(epochs[0] - margin, epochs[-1] + margin)
    style.grid(axes)
    figure.legend(loc="outside lower left", ncols=2)
    return figure


def draw_lines(axes: Axes, lines: Lines, curve: Sequence[float]) -> None:
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
