"""What a search found: in words, as a picture, and written to params.yaml where that is asked for."""

from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import optuna
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from optuna.trial import FrozenTrial, TrialState
from ruamel.yaml import YAML
from tqdm import tqdm

from kelly.atomic import replacing, write_text
from kelly.errors import KellyError
from kelly.experiments import space
from kelly.experiments.search import Sampler, Search, ended, used
from kelly.experiments.side_by_side import jobs
from kelly.params import PARAMS_FILE, Settings, load
from kelly.plots import LOSS_NAMES, MARK, TRAIN, VALIDATION

WIDEST = 10_000  # characters of a line of params.yaml: none is to be broken


def search(
    settings: Settings,
    num_trials: int,
    output: Path,
    *,
    sampler: Sampler = "tpe",
    num_jobs: int | None = None,
    prune: bool = True,
    storage: str | None = None,
    write: bool = False,
) -> None:
    """Search one network's settings until `num_trials` trials have ended, and tell what was found.

    output: {output}/{model}/ holds the study, unless `storage` is the address of a database, and the picture
    write: put the best settings into params.yaml
    """
    task = settings.task
    folder = output / task.name
    at_a_time = jobs(num_jobs, settings.training.num_threads)
    if num_trials < 1:
        raise KellyError(f"--trials {num_trials}: expected 1 or more")
    space.spaces(settings.search)  # its mistakes, before anything is made
    folder.mkdir(parents=True, exist_ok=True)
    a_search = Search(settings, folder, storage or f"sqlite:///{folder / 'study.db'}", sampler, prune)
    a_search.begin()
    if before := len(ended(a_search.study())):
        print(f"{task.title}: going on after {before} trials", flush=True)
    for trial in a_search.run(num_trials, at_a_time):
        tqdm.write(line(trial))
    study = a_search.study()
    print("\n".join(summary(settings, study)))
    draw(settings, study, folder / "search.png")
    print(f"Picture: {folder / 'search.png'}")
    if write:
        put_into(PARAMS_FILE, task.name, used(study.best_trial))
        print(f"Written to {PARAMS_FILE}: git diff {PARAMS_FILE}")


def line(trial: FrozenTrial) -> str:
    """One trial in a line."""
    values = ", ".join(f"{name} {value}" for name, value in used(trial).items())
    return f"Trial {trial.number:>3}: {outcome(trial):<28} {values}"


def outcome(trial: FrozenTrial) -> str:
    """How a trial ended."""
    if trial.state is TrialState.COMPLETE:
        return f"loss {trial.value:.6f}, epoch {trial.user_attrs['best_epoch']}"
    return "diverged" if "diverged" in trial.user_attrs else f"pruned after epoch {trial.last_step}"


def summary(settings: Settings, study: optuna.Study) -> list[str]:
    """What a search came to, and the command that trains the pipeline's network with the best settings."""
    task, trials = settings.task, ended(study)
    whole = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    if not whole:
        raise KellyError(f"none of {len(trials)} trials of {task.title} came to its end; widen search in params.yaml")
    diverged = sum("diverged" in trial.user_attrs for trial in trials)
    best = study.best_trial
    lines = [
        f"\n{task.title}: {len(trials)} trials, {len(whole)} trained to their end, "
        f"{len(trials) - len(whole) - diverged} pruned, {diverged} diverged; validation loss ({LOSS_NAMES[task.loss]})"
    ]
    present = space.present(settings, space.spaces(settings.search))
    lines += [f"  present settings  {trial.value:.6f}" for trial in whole if used(trial) == present][:1]
    lines.append(f"  best, trial {best.number:<4}  {best.value:.6f}  " + ", ".join(
        f"{name} {value}" for name, value in used(best).items()))  # fmt: skip
    lines.append(f"Train it:\n  dvc exp run {space.as_options(task.name, used(best))}")
    lines.append(
        f"The smallest of {len(whole)} losses promises too much: it was chosen for being small. The test side tells:\n"
        "  kelly compare HEAD workspace"
    )
    return lines


def draw(settings: Settings, study: optuna.Study, path: Path) -> None:
    """Draw the losses in the order of the trials, with the best so far, and beside it against each setting."""
    trials = [trial for trial in ended(study) if trial.state is TrialState.COMPLETE and trial.value is not None]
    losses = [trial.value for trial in trials if trial.value is not None]
    spaces = space.spaces(settings.search)
    figure = Figure(figsize=(3.2 * (1 + len(spaces)), 3.4), layout="constrained")
    first, *others = figure.subplots(1, 1 + len(spaces), sharey=True)
    at = [trial.number for trial in trials]
    first.plot(at, losses, "o", color=VALIDATION, markersize=4, label="trial")
    first.step(at, [min(losses[: i + 1]) for i in range(len(losses))], where="post", color=TRAIN, label="best so far")
    first.set(xlabel="trial", ylabel=f"validation loss, {LOSS_NAMES[settings.task.loss]}")
    first.xaxis.set_major_locator(MaxNLocator(integer=True))
    first.legend(edgecolor="none", framealpha=0.9)
    best = study.best_trial
    for axes, (name, one) in zip(others, spaces.items(), strict=True):
        place: Callable[[Any], Any] = lambda value: value  # noqa: E731
        scale = "log" if getattr(one, "log", False) else "linear"
        if isinstance(one, optuna.distributions.CategoricalDistribution):
            places = [str(choice) for choice in one.choices]
            axes.set_xticks(range(len(places)), places)
            axes.set_xlim(-0.5, len(places) - 0.5)
            place = one.choices.index
        axes.plot([place(used(trial)[name]) for trial in trials], losses, "o", color=VALIDATION, markersize=4)
        axes.plot([place(used(best)[name])], [best.value], "o", color=MARK, label="best")
        axes.set(xlabel=name.replace("_", " "), xscale=scale)
    # Losses of settings that hardly learn would press all others together.
    middle = sorted(losses)[len(losses) // 2]
    first.set_ylim(min(losses) - 0.1 * (middle - min(losses) or 1e-6), middle + 2 * (middle - min(losses) or 1e-6))
    for axes in (first, *others):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.3)
    figure.suptitle(f"{settings.task.title}: {len(ended(study))} trials, {len(trials)} to their end")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, metadata={"Software": None})


def put_into(path: Path, model: str, values: Mapping[str, Any]) -> None:
    """Set values of one network in params.yaml; all else stays as it is, comments too. Checked before it is written."""
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, WIDEST
    content = yaml.load(path.read_text(encoding="utf-8"))
    content["models"][model].update(values)
    text = StringIO()
    yaml.dump(content, text)
    fresh = path.with_name(f".{path.stem}.checked{path.suffix}")
    try:
        write_text(fresh, text.getvalue())
        load(fresh)
    finally:
        fresh.unlink(missing_ok=True)
    write_text(path, text.getvalue())
