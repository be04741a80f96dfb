"""Pictures of a training run: loss and metric over the epochs, the best epoch and the stop marked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kelly.atomic import replacing
from kelly.tasks import Task

TRAIN, VALIDATION, MARK = "#7a869a", "#d1495b", "#2b2d42"
LOSS_NAMES = {
    "mse": "mean squared error",
    "bce": "binary cross entropy (nats)",
    "cross_entropy": "cross entropy (nats)",
}


def training_curves(task: Task, history: Mapping[str, list[Any]], folder: Path) -> None:
    """Draw `{model}_loss.png` and `{model}_metric.png` from the columns of a history."""
    loss_name = LOSS_NAMES[task.loss]
    metric_name = task.metric.replace("_", " ").replace("r2", "R²")
    best = min(range(len(history["epoch"])), key=lambda i: history["val_loss"][i])
    for kind, name in (("loss", loss_name), ("metric", metric_name)):
        figure = Figure(figsize=(7, 4), layout="constrained")  # without pyplot, which looks for a screen
        axes = figure.subplots()
        epochs = history["epoch"]
        axes.plot(epochs, history[f"train_{kind}"], color=TRAIN, marker=".", label="train")
        axes.plot(epochs, history[f"val_{kind}"], color=VALIDATION, marker=".", label="validation")
        value = history[f"val_{kind}"][best]
        axes.axvline(epochs[best], color=MARK, linestyle=":", linewidth=1)
        axes.plot(epochs[best], value, "o", color=MARK, label=f"best epoch {epochs[best]}: {value:.4g}")
        axes.axvline(epochs[-1], color=TRAIN, linewidth=1, label=f"last epoch {epochs[-1]}")
        axes.set(title=task.title, xlabel="epoch", ylabel=name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.3)
        axes.legend(edgecolor="none", framealpha=0.9)
        with replacing(folder / f"{task.name}_{kind}.png") as temporary:
            figure.savefig(temporary, dpi=110, metadata={"Software": None})
