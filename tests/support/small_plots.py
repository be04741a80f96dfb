"""What a plot of predictions is drawn from, on small random data."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from support.small_runs import random_sequences

from kelly.evaluation.baselines import mean_target
from kelly.evaluation.metrics import Predictions
from kelly.export.contract import CONTRACTS
from kelly.features.emotion import embed, usual_coordinates
from kelly.plots.plot_inputs import PlotInputs
from kelly.tasks import TASKS, Task


def random_network(task: Task) -> Any:
    """A network with random weights, whose outputs are in the range of the task's."""
    weights = np.random.default_rng(5).standard_normal((task.num_inputs, task.num_outputs)) / 8

    def run(inputs: NDArray[Any]) -> NDArray[np.float64]:
        sums = inputs @ weights
        if task.loss == "cross_entropy":
            return np.asarray(np.exp(sums) / np.exp(sums).sum(axis=-1, keepdims=True))
        last = task.layers[-1].activation
        return np.asarray(np.tanh(sums) if last == "tanh" else 1 / (1 + np.exp(-sums)))

    return run


def small_plot_inputs(name: str, settings: dict[str, Any] | None = None, n: int = 60) -> PlotInputs:
    """The predictions of a random network for data with gaps. settings: of the data source."""
    task = TASKS[name]
    data = random_sequences(task, n=n, num_frames=3, gaps=task.loss == "mse")
    if name == "emotionrecognizer":
        emotions = np.random.default_rng(1).uniform(-1, 1, (*data.inputs.shape[:2], 2))
        data = replace(data, targets=embed(usual_coordinates(emotions[..., 0], emotions[..., 1])).astype(np.float32))
    settings = settings or {}
    metadata = {"data": {"source": "synthetic", "settings": settings}, **CONTRACTS[task.name](settings)}
    run = random_network(task)
    return PlotInputs(task.title, Predictions(data, run(data.inputs)), mean_target(task, data), run, metadata)
