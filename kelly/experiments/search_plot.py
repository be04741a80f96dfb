"""The plot of `kelly search`: validation losses by trial, and against each setting."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullFormatter
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from kelly.config.params import TaskConfig
from kelly.experiments import search_space
from kelly.experiments.search import ended, used
from kelly.plots import style
from kelly.plots.labels import LOSS_NAMES
from kelly.plots.style import MARK, TRAIN, VALIDATION

COLUMNS = 3
MARGIN = 1.1  # factor by which a logarithmic axis extends beyond the search space


def draw(config: TaskConfig, study: optuna.Study, path: Path) -> None:
    """Plot the losses by trial, with the best so far, and against each setting."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    losses = [loss_of(trial) for trial in trials]
    spaces = search_space.spaces(config.search, config.training.epochs)
    rows = -(-(1 + len(spaces)) // COLUMNS)
    figure = style.figure(3.2 * COLUMNS, 2.8 * rows)
    first, *others = figure.subplots(rows, COLUMNS, sharey=True, squeeze=False).flat
    numbers = [trial.number for trial in trials]
    first.plot(numbers, losses, "o", color=VALIDATION, markersize=4, label="trial")
    first.step(numbers, np.minimum.accumulate(losses), where="post", color=TRAIN, label="best so far")
    first.plot([study.best_trial.number], [study.best_value], "o", color=MARK, label="best")
    first.set(xlabel="trial")
    first.xaxis.set_major_locator(MaxNLocator(integer=True))
    first.legend()
    for axes, (name, distribution) in zip(others, spaces.items(), strict=False):
        against(axes, name, distribution, trials, study.best_trial)
    for axes in others[len(spaces) :]:
        axes.remove()
    # Losses of settings that hardly learn would flatten all others.
    middle = sorted(losses)[len(losses) // 2]
    top = middle + 2 * (middle - min(losses) or 1e-6)
    above = sum(loss > top for loss in losses)
    first.set_ylim(min(losses) - 0.1 * (middle - min(losses) or 1e-6), top)
    for axes in figure.axes:
        style.grid(axes)
    figure.supylabel(f"validation loss, {LOSS_NAMES[config.task.loss]}", fontsize="medium")
    hidden = f", {above} of them above the plot" if above else ""
    style.title(figure, f"{config.task.title}: {len(ended(study))} trials, {len(trials)} completed{hidden}")
    style.save(figure, path)


def against(
    axes: Axes, name: str, distribution: BaseDistribution, trials: list[FrozenTrial], best: FrozenTrial
) -> None:
    """Plot the losses against one setting; choices are placed in their order."""
    axes.set_xlabel(name.replace("_", " "))
    choices: Sequence[Any] | None = None
    if isinstance(distribution, CategoricalDistribution):
        choices = distribution.choices
        axes.set_xticks(range(len(choices)), [str(choice) for choice in choices])
        axes.set_xlim(-0.5, len(choices) - 0.5)
    elif isinstance(distribution, FloatDistribution | IntDistribution) and distribution.log:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlim(distribution.low / MARGIN, distribution.high * MARGIN)

    def position(trial: FrozenTrial) -> Any:
        value = used(trial)[name]
        return value if choices is None else choices.index(value)

    losses = [loss_of(trial) for trial in trials]
    axes.plot([position(trial) for trial in trials], losses, "o", color=VALIDATION, markersize=4)
    axes.plot([position(best)], [loss_of(best)], "o", color=MARK)


def loss_of(trial: FrozenTrial) -> float:
    """The validation loss of a completed trial."""
    assert trial.value is not None
    return trial.value
