"""Plots of the predictions of each network."""

from collections.abc import Callable, Mapping
from pathlib import Path

from matplotlib.figure import Figure

from kelly.plots import dynamics, emotion, groove, harmony, melody, style
from kelly.plots.plot_inputs import PlotInputs
from kelly.runtime.errors import KellyError
from kelly.tasks import Task

PLOTS: Mapping[str, Callable[[PlotInputs], Figure]] = {
    "emotionrecognizer": emotion.draw,
    "melodytransformer": melody.draw,
    "harmonypredictor": harmony.draw,
    "dynamicsengine": dynamics.draw,
    "groovepredictor": groove.draw,
}


def plot_predictions(task: Task, inputs: PlotInputs, folder: Path) -> None:
    """Write `{folder}/{model}_predictions.png` and `.svg`.

    Raises KellyError if the metadata of the export does not describe its outputs.
    """
    try:
        figure = PLOTS[task.name](inputs)
    except (KeyError, IndexError, TypeError) as error:
        raise KellyError(
            f"{task.name}.json: its metadata has no {error}, which the plot needs; export it again: "
            f"dvc repro -f -s export@{task.name}"
        ) from None
    figure.set_label(f"{task.name}-predictions")
    style.save_both(figure, folder / f"{task.name}_predictions.png")
