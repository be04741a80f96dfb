"""A search at a glance: its losses in the order of the trials, and against each setting."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
EDGE = 1.1  # by how much an axis of ratios reaches beyond what is tried


def draw(settings: TaskConfig, study: optuna.Study, path: Path) -> None:
    """Draw the losses in the order of the trials, with the best so far, and beside it against each setting."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    losses = [loss_of(trial) for trial in trials]
    spaces = search_space.spaces(settings.search, settings.training.epochs)
    rows = -(-(1 + len(spaces)) // COLUMNS)
    figure = style.figure(3.2 * COLUMNS, 2.8 * rows)
    first, *others = figure.subplots(rows, COLUMNS, sharey=True, squeeze=False).flat
    at = [trial.number for trial in trials]
    first.plot(at, losses, "o", color=VALIDATION, markersize=4, label="trial")
    first.step(at, [min(losses[: i + 1]) for i in range(len(losses))], where="post", color=TRAIN, label="best so far")
    first.plot([study.best_trial.number], [study.best_value], "o", color=MARK, label="best")
    first.set(xlabel="trial")
    first.xaxis.set_major_locator(MaxNLocator(integer=True))
    first.legend()
    for axes, (name, one) in zip(others, spaces.items(), strict=False):
        against(axes, name, one, trials, study.best_trial)
    for axes in others[len(spaces) :]:
        axes.remove()
    # Losses of settings that hardly learn would press all others process_group.
    middle = sorted(losses)[len(losses) // 2]
    top = middle + 2 * (middle - min(losses) or 1e-6)
    above = sum(loss > top for loss in losses)
    first.set_ylim(min(losses) - 0.1 * (middle - min(losses) or 1e-6), top)
    for axes in figure.axes:
        style.grid(axes)
    figure.supylabel(f"validation loss, {LOSS_NAMES[settings.task.loss]}", fontsize="medium")
    out = f", {above} of them above the picture" if above else ""
    style.title(figure, f"{settings.task.title}: {len(ended(study))} trials, {len(trials)} to their end{out}")
    style.save(figure, path)


def against(axes: Axes, name: str, one: BaseDistribution, trials: list[FrozenTrial], best: FrozenTrial) -> None:
    """Draw the losses against one setting; choices stand in their order, side by side."""
    axes.set_xlabel(name.replace("_", " "))
    choices: Sequence[Any] | None = None
    if isinstance(one, CategoricalDistribution):
        choices = one.choices
        axes.set_xticks(range(len(choices)), [str(choice) for choice in choices])
        axes.set_xlim(-0.5, len(choices) - 0.5)
    elif isinstance(one, FloatDistribution | IntDistribution) and one.log:
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlim(one.low / EDGE, one.high * EDGE)

    def place(trial: FrozenTrial) -> Any:
        value = used(trial)[name]
        return value if choices is None else choices.index(value)

    losses = [loss_of(trial) for trial in trials]
    axes.plot([place(trial) for trial in trials], losses, "o", color=VALIDATION, markersize=4)
    axes.plot([place(best)], [loss_of(best)], "o", color=MARK)


def loss_of(trial: FrozenTrial) -> float:
    """The validation loss of a trial that was trained to its end."""
    assert trial.value is not None
    return trial.value
