"""Training curves and their reference lines."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from support.small_results import HISTORY
from support.small_runs import random_sequences

from kelly.evaluation.baselines import constant
from kelly.evaluation.metrics import Predictions, mean_loss
from kelly.evaluation.results import best_row, read_history
from kelly.plots import curves
from kelly.plots.curves import reference_lines
from kelly.tasks import TASKS
from kelly.training.objectives import METRICS


@pytest.mark.parametrize("name", TASKS)
def test_reference_lines_are_losses_and_metrics_of_the_baseline_and_the_oracle(name: str) -> None:
    task = TASKS[name]
    data = random_sequences(task, n=60, gaps=True)
    oracle = np.random.default_rng(1).dirichlet(np.ones(task.num_outputs), data.inputs.shape[:2]).astype(np.float32)
    data = replace(data, oracle=oracle)
    train, validation = data.take(np.arange(0, 40)), data.take(np.arange(40, 60))
    lines = reference_lines(task, {"train": train, "validation": validation})
    without_floor = reference_lines(task, {"train": train, "validation": replace(validation, oracle=None)})
    assert without_floor["loss"] == {"baseline": lines["loss"]["baseline"]}
    mean, best = constant(task, train, train, validation), oracle[40:].astype(np.float64)
    assert lines["loss"]["baseline"] == pytest.approx(mean_loss(task.loss, Predictions(validation, mean)), rel=1e-12)
    assert lines["loss"]["floor"] == pytest.approx(mean_loss(task.loss, Predictions(validation, best)), rel=1e-12)
    # The metric of a history takes logits, but ranks them (or, for outputs that are not probabilities, uses them).
    metric = METRICS[task.metric]
    arrays = (mean.astype(np.float32), validation.targets, validation.mask)
    sums = metric.sums(*(torch.from_numpy(np.array(a)) for a in arrays))
    assert lines["metric"]["baseline"] == pytest.approx(metric.compute(sums), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(("last", "expected"), [(50, "last epoch, 50"), (40, "stopped early after epoch 40 of 50")])
def test_the_subtitle_contains_why_training_ended(last: int, expected: str) -> None:
    assert expected in curves.stop_reason(last, 50, 10)


def plot(kind: str, lines: dict[str, float], **history: list[Any]) -> tuple[Axes, list[str]]:
    """The axes and the legend of the curves of a history, some columns replaced."""
    figure = curves.curves(HISTORY | history, kind, "loss", lines)
    return figure.axes[0], [text.get_text() for text in figure.legends[0].get_texts()]


def test_the_legend_lists_best_epoch_baseline_and_floor() -> None:
    _, labels = plot("loss", {"baseline": 0.6, "floor": 0.25})
    assert labels[:3] == ["train", "validation", "best epoch 3: 0.5"]
    assert labels[3:] == ["baseline (best constant, validation): 0.6", "floor (best possible, validation): 0.25"]


def test_losses_far_apart_get_a_logarithmic_axis_with_all_in_view() -> None:
    axes, _ = plot("loss", {"baseline": 5.0, "floor": 0.01})
    assert axes.get_yscale() == "log"
    low, high = axes.get_ylim()
    assert low < 0.01 < 5.0 < high
    assert plot("loss", {"baseline": 0.6}, train_loss=[0.5, 0.4, 0.4, 0.4])[0].get_yscale() == "linear"


def test_a_line_that_would_flatten_the_curves_is_only_in_the_legend() -> None:
    flat = [0.900, 0.901, 0.902, 0.901]
    axes, labels = plot("metric", {"baseline": 0.1}, train_metric=flat, val_metric=flat)
    assert labels[-1] == "baseline (best constant, validation): 0.1, not in view"
    assert axes.get_ylim()[0] > 0.85


def test_a_history_that_diverged_contains_nan(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    path.write_text(json.dumps(HISTORY | {"val_loss": [0.5, None, 0.3, None]}))
    history = read_history(path)
    assert np.isnan(history["val_loss"]).tolist() == [False, True, False, True]
    assert best_row(history) == 2
    assert best_row(history | {"val_loss": [math.nan] * 4}) == 0


@pytest.mark.parametrize(
    "history",
    [
        {"train_metric": [-3.0, -0.5, 0.1, 0.2]},
        {"train_loss": [math.nan, 0.3, 0.2, 0.1], "val_metric": [math.nan, 0.1, 0.2, 0.3]},
        {"val_loss": [math.nan, 0.3, math.nan, 0.1]},
        {name: [math.nan] * 4 for name in list(HISTORY)[1:]},
        {name: column[:1] for name, column in HISTORY.items()},
        {"train_loss": [0.0] * 4, "val_loss": [0.0] * 4},
    ],
)
def test_any_history_is_plotted(history: dict[str, list[Any]], tmp_path: Path) -> None:
    training = {"epochs": 4, "early_stopping_patience": 2}
    lines = {"loss": {"baseline": 0.6, "floor": 0.25}, "metric": {"baseline": -0.01}}
    curves.plot_curves(TASKS["groovepredictor"], HISTORY | history, tmp_path, training, lines)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"groovepredictor_{kind}.{suffix}" for kind in ("loss", "metric") for suffix in ("png", "svg")
    }
