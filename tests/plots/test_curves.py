"""The curves of a run: their levels are what the references compute, and they can be read whatever the numbers are."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from support.small_results import HISTORY
from support.small_runs import drawn

from kelly.data.dataset import Sequences
from kelly.evaluation.baselines import constant
from kelly.evaluation.metrics import Predicted, loss
from kelly.evaluation.results import best_row, read_history
from kelly.plots import curves
from kelly.plots.curves import Beside
from kelly.plots.reference_lines import beside
from kelly.tasks import TASKS
from kelly.training.objectives import METRICS


@pytest.mark.parametrize("name", TASKS)
def test_levels_are_those_of_the_references_on_the_validation_side(name: str) -> None:
    task = TASKS[name]
    whole = drawn(task, n=60, gaps=True)
    oracle = np.random.default_rng(1).dirichlet(np.ones(task.num_outputs), whole.inputs.shape[:2]).astype(np.float32)
    data = Sequences(whole.inputs, whole.targets, whole.groups, whole.mask, oracle=oracle)
    train, validation = data.take(np.arange(0, 40)), data.take(np.arange(40, 60))
    found = beside(task, {"train": train, "validation": validation})
    mean, best = constant(task, train, train, validation), oracle[40:].astype(np.float64)
    assert found.baseline == pytest.approx(loss(task.loss, Predicted(validation, mean)), rel=1e-12)
    assert found.floor == pytest.approx(loss(task.loss, Predicted(validation, best)), rel=1e-12)
    # What the history follows: it takes logits, and either ranks them or, of a network without chances, outputs.
    metric = METRICS[task.metric]
    arrays = (mean.astype(np.float32), validation.targets, validation.mask)
    sums = metric.sums(*(torch.from_numpy(np.array(a)) for a in arrays))
    assert found.metric == pytest.approx(metric.value(sums), rel=1e-6, abs=1e-6)


def test_data_without_a_stated_law_has_no_floor() -> None:
    task = TASKS["harmonypredictor"]
    assert beside(task, dict.fromkeys(("train", "validation"), drawn(task))).floor is None


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (50, "reached its last epoch, 50"),
        (40, "stopped early after epoch 40 of 50: 10 epochs without progress"),
    ],
)
def test_the_picture_says_how_the_run_ended(last: int, said: str) -> None:
    assert curves.ending(last, 50, 10) == said


def axes_of(kind: str, levels: dict[str, float], **changes: list[Any]) -> tuple[Axes, list[str]]:
    figure = curves.curves(HISTORY | changes, kind, "loss", levels)
    return figure.axes[0], [text.get_text() for text in figure.legends[0].get_texts()]


def test_baseline_and_floor_are_drawn_and_named_with_the_side_they_hold_for() -> None:
    _, labels = axes_of("loss", {"baseline": 0.6, "floor": 0.25})
    assert labels == [
        "train",
        "validation",
        "best epoch 3: 0.5",
        "baseline (best constant, validation): 0.6",
        "floor (best possible, validation): 0.25",
    ]


def test_losses_far_apart_get_a_logarithmic_axis_in_which_all_are_seen() -> None:
    axes, _ = axes_of("loss", {"baseline": 5.0, "floor": 0.01})
    assert axes.get_yscale() == "log"
    low, high = axes.get_ylim()
    assert low < 0.01 < 5.0 < high
    assert axes_of("loss", {"baseline": 0.6}, train_loss=[0.5, 0.4, 0.4, 0.4])[0].get_yscale() == "linear"


def test_a_level_that_would_press_the_curves_flat_is_told_and_not_drawn() -> None:
    flat = [0.900, 0.901, 0.902, 0.901]
    axes, labels = axes_of("metric", {"baseline": 0.1}, train_metric=flat, val_metric=flat)
    assert labels[-1] == "baseline (best constant, validation): 0.1, not in view"
    assert axes.get_ylim()[0] > 0.85


def test_a_history_that_diverged_is_read_with_gaps(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    path.write_text(json.dumps(HISTORY | {"val_loss": [0.5, None, 0.3, None]}))
    history = read_history(path)
    assert np.isnan(history["val_loss"]).tolist() == [False, True, False, True]
    assert best_row(history) == 2
    assert best_row(history | {"val_loss": [math.nan] * 4}) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"train_metric": [-3.0, -0.5, 0.1, 0.2]},
        {"train_loss": [math.nan, 0.3, 0.2, 0.1], "val_metric": [math.nan, 0.1, 0.2, 0.3]},
        {"val_loss": [math.nan, 0.3, math.nan, 0.1]},
        {name: [math.nan] * 4 for name in list(HISTORY)[1:]},
        {name: column[:1] for name, column in HISTORY.items()},
        {"train_loss": [0.0] * 4, "val_loss": [0.0] * 4},
    ],
)
def test_runs_of_any_kind_are_drawn(changes: dict[str, list[Any]], tmp_path: Path) -> None:
    known = Beside(0.6, 0.25, -0.01)
    task = TASKS["groovepredictor"]
    curves.training_curves(task, HISTORY | changes, tmp_path, {"epochs": 4, "early_stopping_patience": 2}, known)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"groovepredictor_{kind}.{ending}" for kind in ("loss", "metric") for ending in ("png", "svg")
    }
