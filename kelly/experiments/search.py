"""`kelly search`: search for training settings with a lower validation loss, with Optuna.

The study is in a database, so that the same command resumes after a kill and several processes can share it. A trial
trains as the pipeline does: `dvc exp run` with its settings gives the same network. The test split is not used.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
from filelock import FileLock
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import URL

from kelly.config.params import TaskConfig
from kelly.data.loading import DATA, open_splits
from kelly.experiments import search_space
from kelly.experiments.abandoned_trials import HOST, is_trial_of, remove_abandoned_folders, requeue_abandoned
from kelly.experiments.check_data import check_up_to_date
from kelly.experiments.parallel import run_parallel
from kelly.experiments.study_storage import ENDED, check_study, open_storage, parse_url, readable_errors, shown_url
from kelly.runtime.errors import KellyError
from kelly.runtime.locks import lock_models
from kelly.training.checkpoints import differences
from kelly.training.divergence import DivergedError
from kelly.training.fingerprint import run_fingerprint
from kelly.training.history import TrainingMetrics
from kelly.training.options import RunOptions
from kelly.training.train_model import best_epoch, train_model

Sampler = Literal["tpe", "random"]
WARMUP = 5  # trials, and epochs of each, before pruning starts

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Search:
    """A search of one network's settings.

    folder: of the trials' checkpoints; storage: URL of the study's database
    """

    config: TaskConfig
    folder: Path
    storage: str = field(repr=False)  # may contain a password
    sampler: Sampler = "tpe"
    prune: bool = True

    @cached_property
    def url(self) -> URL:
        """The URL of the database. Raises KellyError where it is not one."""
        return parse_url(self.storage)

    @property
    def is_local(self) -> bool:
        """Whether the study is in an SQLite file, which only one machine works on."""
        return self.url.get_backend_name() == "sqlite"

    @cached_property
    def spaces(self) -> dict[str, optuna.distributions.BaseDistribution]:
        """The search space by setting."""
        return search_space.spaces(self.config.search, self.config.training.epochs)

    @property
    def lock(self) -> FileLock:
        """Locked while a trial starts or ends, so that none starts twice; next to an SQLite file."""
        database = self.url.database if self.is_local else None
        path = self.folder / "study" if database is None else Path(database)
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path.with_name(f".{path.name}.lock"))

    def study(self, index: int = 0) -> optuna.Study:
        """The study, with the sampler for trial number `index` from 0.

        Each trial has its own seed, so that a resumed search samples the same settings. Machines that share a database
        must not sample the same: there the seed is random. Raises KellyError where the database cannot be opened.
        """
        entropy = [self.config.training.seed, index] if self.is_local else None
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        storage = open_storage(self.storage, self.url)
        sampler = optuna.samplers.TPESampler if self.sampler == "tpe" else optuna.samplers.RandomSampler
        with readable_errors(self.url):
            return optuna.create_study(
                storage=storage,
                study_name=self.config.task.name,
                load_if_exists=True,
                sampler=sampler(seed=seed),
                pruner=optuna.pruners.MedianPruner(WARMUP, WARMUP) if self.prune else optuna.pruners.NopPruner(),
            )

    def run_fingerprint(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """What identifies the study: everything that its trials have in common."""
        common = run_fingerprint(self.config.task, self.config.training, data)
        fixed = {name: value for name, value in common["training"].items() if name not in self.spaces}
        spaces = {name: str(space) for name, space in self.spaces.items()}
        return {**common, "training": fixed, "search": spaces, "sampler": self.sampler, "prune": self.prune}

    def begin(self) -> None:
        """Create the study unless it exists; its first trial has the current settings.

        Raises KellyError where it was created with other data or settings.
        """
        check_up_to_date(self.config)
        fingerprint = self.run_fingerprint(open_splits(self.config, DATA)[1])
        with self.lock:
            study = self.study()
            check_study(study, self.url)
            previous = study.user_attrs.get("fingerprint")
            if previous or ended(study):
                if changed := differences(previous or {}, fingerprint):
                    lines = "\n".join(f"  {line}" for line in changed).replace("checkpoint", "study")
                    raise KellyError(f"the study at {shown_url(self.url)} was created with other settings; restore "
                                     f"them, or create another study with --output:\n{lines}")  # fmt: skip
                remove_abandoned_folders(self, study)
                return
            if values := search_space.current(self.config, self.spaces):
                study.enqueue_trial(values, user_attrs={"fixed": values}, skip_if_exists=True)
            study.set_user_attr("fingerprint", fingerprint)

    def run(self, num_trials: int, num_jobs: int) -> Iterator[FrozenTrial]:
        """Run trials until `num_trials` have ended; yields each as it ends."""
        missing = num_trials - len(ended(self.study()))
        work = ((self, num_trials) for _ in range(missing))
        for number in run_parallel(run_trial, work, missing, min(num_jobs, max(1, missing)), "trial"):
            if number is not None:
                yield self.study().trials[number]


def ended(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that ended: completed, pruned or diverged."""
    return study.get_trials(deepcopy=False, states=ENDED)


def used(trial: FrozenTrial) -> dict[str, Any]:
    """The settings that a trial was trained with."""
    return dict(trial.user_attrs["settings"])


def run_trial(search: Search, num_trials: int) -> int | None:
    """Run one trial; returns its number, or None where other processes run those that are left."""
    with ExitStack() as stack:
        with search.lock:
            study = search.study()
            requeue_abandoned(search, study)
            index = sum(trial.state in (*ENDED, TrialState.RUNNING) for trial in study.get_trials(deepcopy=False))
            if index >= num_trials:
                return None
            study = search.study(index)
            trial = study.ask(search.spaces)
            values = search_space.rounded(trial.params, search.spaces, trial.user_attrs.get("fixed", {}))
            folder = search.folder.resolve() / f"trial{trial.number:04}"
            if is_trial_of(search, earlier := Path(trial.user_attrs.get("folder", ""))):
                folder = earlier
            for name, value in (("settings", values), ("folder", str(folder)), ("host", HOST)):
                trial.set_user_attr(name, value)
            stack.enter_context(lock_models(folder, search.config.task.name))
        views, data = open_splits(search.config, DATA)
        training = search_space.with_values(search.config, values)
        report = ReportLosses(trial)
        loss, state = None, TrialState.PRUNED
        try:
            history = train_model(
                search.config.task, training, views, data, folder,
                resume="unfinished", save_history=False, run=RunOptions(after_epoch=report),
            )  # fmt: skip
            report(history)  # if it was killed between its last checkpoint and this
            metrics = history.to_dict()
            best = best_epoch(metrics)
            trial.set_user_attr("best_epoch", best)
            loss, state = metrics["val_loss"][best - 1], TrialState.COMPLETE
        except optuna.TrialPruned:
            pass
        except DivergedError as error:
            trial.set_user_attr("diverged", str(error))
        with search.lock:
            study.tell(trial, loss, state)
            shutil.rmtree(folder)
    return trial.number


class ReportLosses:
    """Report the validation loss of each epoch to the study, and stop the trial if it is pruned."""

    def __init__(self, trial: optuna.Trial) -> None:
        self.trial, self.reported = trial, 0

    def __call__(self, metrics: TrainingMetrics) -> None:
        """Called after the checkpoint of an epoch; the first call of a resumed trial reports several epochs."""
        losses = metrics.columns["val_loss"]
        for epoch in range(self.reported + 1, len(losses) + 1):
            loss = losses[epoch - 1]
            assert loss is not None
            self.trial.report(loss, epoch)
            self.reported = epoch
            if self.trial.should_prune():
                raise optuna.TrialPruned
