"""`kelly search`: run a search, print and plot its results, and write the best settings to params.yaml on request."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import yaml
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm

from kelly.config.params import PARAMS_FILE, TaskConfig, load
from kelly.config.yaml_file import Yaml12Loader
from kelly.experiments import search_space
from kelly.experiments.parallel import num_parallel
from kelly.experiments.search import Sampler, Search, ended, used
from kelly.experiments.search_plot import draw
from kelly.experiments.study_storage import readable_errors
from kelly.plots.labels import LOSS_NAMES
from kelly.runtime.atomic import replacing
from kelly.runtime.errors import KellyError


def search(
    config: TaskConfig, num_trials: int, output: Path, *, sampler: Sampler = "tpe", num_jobs: int | None = None,
    prune: bool = True, storage: str | None = None, write: bool = False,
) -> None:  # fmt: skip
    """Search one network's settings until `num_trials` trials have ended, and report the results.

    output: {output}/{model}/ gets the plot, and the study unless `storage` is the URL of a database
    write: write the best settings to params.yaml
    """
    task = config.task
    folder = output / task.name
    num_jobs = num_parallel(num_jobs, config.training.num_threads)
    if num_trials < 1:
        raise KellyError(f"--trials {num_trials}: expected 1 or more")
    search_space.spaces(config.search, config.training.epochs)  # raises before anything is written
    folder.mkdir(parents=True, exist_ok=True)
    default = URL.create("sqlite", database=str(folder / "study.db")).render_as_string()
    s = Search(config, folder, default if storage is None else storage, sampler, prune)
    s.begin()
    try:
        if num_ended := len(ended(s.study())):
            print(f"{task.title}: resuming after {num_ended} trials", flush=True)
        for trial in s.run(num_trials, num_jobs):
            tqdm.write(line(task.name, trial))
    except (SQLAlchemyError, StorageInternalError, UpdateFinishedTrialError) as error:
        with readable_errors(s.url):
            raise error from None
    study = s.study()
    print("\n".join(summary(config, study)))
    if (missing := num_trials - len(ended(study))) > 0:
        print(f"{missing} of {num_trials} trials are running in other processes, or were lost with their machine")
    draw(config, study, folder / "search.png")
    print(f"Plot: {folder / 'search.png'}")
    if write:
        write_settings(PARAMS_FILE, task.name, used(study.best_trial))
        print(f"Written to {PARAMS_FILE} (git diff {PARAMS_FILE}); train with them: kelly repro")


def line(model: str, trial: FrozenTrial) -> str:
    """How a trial ended, and the command that trains the network with its settings."""
    if trial.state is TrialState.COMPLETE:
        outcome = f"loss {trial.value:.6f}, epoch {trial.user_attrs['best_epoch']}"
    else:
        outcome = "diverged" if "diverged" in trial.user_attrs else f"pruned after epoch {trial.last_step}"
    return f"Trial {trial.number:>3}: {outcome:<28} dvc exp run {search_space.as_options(model, used(trial))}"


def summary(config: TaskConfig, study: optuna.Study) -> list[str]:
    """The results of a search. Raises KellyError where no trial completed."""
    task, trials = config.task, ended(study)
    completed = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    if not completed:
        raise KellyError(f"none of {len(trials)} trials of {task.title} completed; widen search in params.yaml")
    diverged = sum("diverged" in trial.user_attrs for trial in trials)
    pruned = len(trials) - len(completed) - diverged
    lines = [
        f"\n{task.title}: {len(trials)} trials, {len(completed)} completed, {pruned} pruned, {diverged} diverged; "
        f"validation loss ({LOSS_NAMES[task.loss]})"
    ]
    current = search_space.current(config, search_space.spaces(config.search, config.training.epochs))
    lines += [f"  current settings  {trial.value:.6f}" for trial in completed if used(trial) == current][:1]
    best = study.best_trial
    values = ", ".join(f"{name} {value}" for name, value in used(best).items())
    return [
        *lines,
        f"  best, trial {best.number:<4}  {best.value:.6f}  {values}",
        f"To train with them:\n  dvc exp run {search_space.as_options(task.name, used(best))}",
        f"The best of {len(completed)} losses is biased downwards. To compare on the test split after training:\n"
        "  kelly compare HEAD workspace",
    ]


def write_settings(path: Path, model: str, values: Mapping[str, Any]) -> None:
    """Set values of one network in params.yaml, leaving all other text as it is.

    Raises KellyError, and writes nothing, where the result would not be valid.
    """
    text = path.read_text(encoding="utf-8")
    for name, value in values.items():
        text = with_value(text, model, name, value)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        load(temporary)


def with_value(text: str, model: str, name: str, value: Any) -> str:
    """Replace the value of a network's setting in the text of params.yaml, or add it before its last setting."""
    node: Any = yaml.compose(text, Yaml12Loader)
    for section in ("models", model):
        node = next(child for key, child in node.value if key.value == section)
    for key, previous in node.value:
        if key.value == name:
            return f"{text[: key.end_mark.index]}: {value}{text[previous.end_mark.index :]}"
    last = node.value[-1][0].start_mark
    separator = ", " if node.flow_style else "\n" + " " * last.column
    return f"{text[: last.index]}{name}: {value}{separator}{text[last.index :]}"
