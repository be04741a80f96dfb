"""`kelly search` from its options to what it found: in words, as a picture, and in params.yaml where that is asked."""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState
from ruamel.yaml import YAML
from ruamel.yaml.representer import RoundTripRepresenter
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm

from kelly.config.params import PARAMS_FILE, TaskConfig, load
from kelly.experiments import search_space
from kelly.experiments.parallel import jobs
from kelly.experiments.search import Sampler, Search, ended, used
from kelly.plots.labels import LOSS_NAMES
from kelly.plots.search import draw
from kelly.runtime.atomic import write_text
from kelly.runtime.errors import KellyError

WIDEST = 10_000  # characters of a line of params.yaml: none is to be broken


def search(
    settings: TaskConfig,
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
    search_space.spaces(settings.search, settings.training.epochs)  # its mistakes, before anything is made
    folder.mkdir(parents=True, exist_ok=True)
    own = URL.create("sqlite", database=str(folder / "study.db")).render_as_string()
    a_search = Search(settings, folder, storage or own, sampler, prune)
    try:
        a_search.begin()
        if before := len(ended(a_search.study())):
            print(f"{task.title}: going on after {before} trials", flush=True)
        for trial in a_search.run(num_trials, at_a_time):
            tqdm.write(line(task.name, trial))
    except (SQLAlchemyError, StorageInternalError, UpdateFinishedTrialError) as error:
        raise KellyError(
            f"the study at {a_search.address} did not answer ({error!s:.200}); what was finished is kept, and the same "
            "command goes on"
        ) from None
    study = a_search.study()
    print("\n".join(summary(settings, study)))
    if (missing := num_trials - len(ended(study))) > 0:
        print(f"{missing} of {num_trials} trials are at work in other processes, or were on a machine that is lost")
    draw(settings, study, folder / "search.png")
    print(f"Picture: {folder / 'search.png'}")
    if write:
        put_into(PARAMS_FILE, task.name, used(study.best_trial))
        print(f"Written to {PARAMS_FILE} (git diff {PARAMS_FILE}); train with it: kelly repro")


def line(model: str, trial: FrozenTrial) -> str:
    """One trial in a line, with the command that trains the pipeline's network as it did."""
    return f"Trial {trial.number:>3}: {outcome(trial):<28} dvc exp run {search_space.as_options(model, used(trial))}"


def outcome(trial: FrozenTrial) -> str:
    """How a trial ended."""
    if trial.state is TrialState.COMPLETE:
        return f"loss {trial.value:.6f}, epoch {trial.user_attrs['best_epoch']}"
    return "diverged" if "diverged" in trial.user_attrs else f"pruned after epoch {trial.last_step}"


def summary(settings: TaskConfig, study: optuna.Study) -> list[str]:
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
    present = search_space.present(settings, search_space.spaces(settings.search, settings.training.epochs))
    lines += [f"  present settings  {trial.value:.6f}" for trial in whole if used(trial) == present][:1]
    lines.append(f"  best, trial {best.number:<4}  {best.value:.6f}  " + ", ".join(
        f"{name} {value}" for name, value in used(best).items()))  # fmt: skip
    lines.append(f"Train it:\n  dvc exp run {search_space.as_options(task.name, used(best))}")
    lines.append(
        f"The smallest of {len(whole)} losses promises too much: it was chosen for being small. Once it is "
        "trained, the test side tells:\n"
        "  kelly compare HEAD workspace"
    )
    return lines


class AsWritten(RoundTripRepresenter):
    """Writes null as `null`, as params.yaml does, and not as nothing."""


AsWritten.add_representer(type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null"))


def put_into(path: Path, model: str, values: Mapping[str, Any]) -> None:
    """Set values of one network in params.yaml; all else stays as it is, comments too. Checked before it is written."""
    yaml = YAML()
    yaml.Representer = AsWritten
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
