"""`kelly search`: settings that train a network to a smaller validation loss, found by Optuna.

Everything lies in one study, by default an SQLite file: it survives a kill, the same command goes on, and several
processes, on several machines with a database of their own, may work on it at once. A trial trains as the pipeline
does, so that `dvc exp run` with its settings gives the same network. The test side takes no part.
"""

import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
from filelock import FileLock
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from kelly.config.params import TaskConfig
from kelly.data.loading import DATA, open_splits
from kelly.experiments import search_space
from kelly.experiments.check_data import check_prepared
from kelly.experiments.parallel import each, stop_if_orphaned
from kelly.runtime.errors import KellyError
from kelly.runtime.locks import lock_models
from kelly.training.divergence import DivergedError
from kelly.training.history import TrainingMetrics
from kelly.training.resume import differences
from kelly.training.train_model import best_epoch, run_fingerprint, train_model

Sampler = Literal["tpe", "random"]
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
BEFORE_PRUNING = 5  # whole trials to compare with, and epochs of each that are always trained

EXPECTED = (
    "expected the address of a database, as sqlite:///study.db or postgresql+psycopg2://user:password@host/name with "
    "its driver installed, and a study that this version of Optuna made"
)
HOST = socket.gethostname()

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Search:
    """A search of one network's settings.

    folder: of the trials' checkpoints while they train; storage: address of the study's database
    """

    settings: TaskConfig
    folder: Path
    storage: str
    sampler: Sampler = "tpe"
    prune: bool = True

    @property
    def model(self) -> str:
        """The network's name."""
        return self.settings.task.name

    @cached_property
    def address(self) -> URL:
        """Where the study lies; as text it hides the password. Raises KellyError where it is no address."""
        try:
            return make_url(self.storage)
        except ArgumentError:
            raise KellyError(f"--storage {self.storage} cannot be opened: it is no address, {EXPECTED}") from None

    @property
    def is_local(self) -> bool:
        """Whether the study lies in an SQLite file, which one machine alone works on."""
        return self.address.get_backend_name() == "sqlite"

    @cached_property
    def spaces(self) -> dict[str, optuna.distributions.BaseDistribution]:
        """What may be tried."""
        return search_space.spaces(self.settings.search, self.settings.training.epochs)

    @property
    def lock(self) -> FileLock:
        """Held while a trial is given out or ends, so that none is given twice; of an SQLite file, beside it."""
        database = self.address.database if self.is_local else None
        at = self.folder / "study" if database is None else Path(database)
        at.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(at.with_name(f".{at.name}.lock"))

    def study(self, index: int = 0) -> optuna.Study:
        """The study as it is now, with what draws the trial number `index`, counted from 0.

        Each has a seed of its own: a search that was interrupted draws what an unbroken one would have. Machines that
        share a database do not know each other's trials at once, and must not draw the same: there, chance decides.
        Raises KellyError where the database cannot be opened.
        """
        own = [self.settings.training.seed, index] if self.is_local else None
        seed = int(np.random.SeedSequence(own).generate_state(1)[0])
        engine = {"connect_args": {"timeout": 60}} if self.is_local else {}
        try:
            storage = optuna.storages.RDBStorage(self.storage, engine_kwargs=engine)
        except (ImportError, RuntimeError, SQLAlchemyError, StorageInternalError) as error:
            raise KellyError(f"the study at {self.address} cannot be opened: {error}; {EXPECTED}") from None
        random = self.sampler == "random"
        return optuna.create_study(
            storage=storage,
            study_name=self.model,
            load_if_exists=True,
            sampler=optuna.samplers.RandomSampler(seed) if random else optuna.samplers.TPESampler(seed=seed),
            pruner=optuna.pruners.MedianPruner(BEFORE_PRUNING, BEFORE_PRUNING) if self.prune
            else optuna.pruners.NopPruner(),
        )  # fmt: skip

    def run_fingerprint(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """What all trials have in common."""
        about = run_fingerprint(self.settings.task, self.settings.training, data)
        fixed = {name: value for name, value in about["training"].items() if name not in self.spaces}
        spaces = {name: str(one) for name, one in self.spaces.items()}
        return {**about, "training": fixed, "search": spaces, "sampler": self.sampler, "prune": self.prune}

    def begin(self) -> None:
        """Make the study, whose first trial has the present settings, unless it is there.

        Raises KellyError where it was begun with other data or settings.
        """
        check_prepared(self.settings)
        about = self.run_fingerprint(open_splits(self.settings, DATA)[1])
        with self.lock:
            study = self.study()
            if before := study.user_attrs.get("about"):
                if changed := differences(before, about):
                    lines = "\n".join(f"  {line}" for line in changed).replace("checkpoint", "study")
                    raise KellyError(
                        f"the study at {self.address} was begun with other settings; give them back their former "
                        f"values, or begin another one with --output:\n{lines}"
                    )
                return
            if values := search_space.present(self.settings, self.spaces):
                study.enqueue_trial(values, user_attrs={"given": values}, skip_if_exists=True)
            study.set_user_attr("about", about)

    def run(self, num_trials: int, num_jobs: int) -> Iterator[FrozenTrial]:
        """Have the study come to `num_trials` ended trials; yields each as it ends."""
        missing = num_trials - len(ended(self.study()))
        work = ((self, num_trials) for _ in range(missing))
        for number in each(try_one, work, missing, min(num_jobs, max(1, missing)), "trial"):
            if number is not None:
                yield self.study().trials[number]


def ended(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that came to an end: trained, pruned or diverged."""
    return study.get_trials(deepcopy=False, states=ENDED)


def used(trial: FrozenTrial) -> dict[str, Any]:
    """The settings that a trial was trained with."""
    return dict(trial.user_attrs["settings"])


def try_one(search: Search, num_trials: int) -> int | None:
    """Train with one more choice of settings; the number of its trial, or None where others do the rest."""
    with ExitStack() as held:
        with search.lock:
            study = search.study()
            give_back_abandoned(search, study)
            index = sum(trial.state in (*ENDED, TrialState.RUNNING) for trial in study.get_trials(deepcopy=False))
            if index >= num_trials:
                return None
            study = search.study(index)
            trial = study.ask(search.spaces)
            values = search_space.rounded(trial.params, search.spaces, trial.user_attrs.get("given", {}))
            folder = Path(trial.user_attrs.get("folder", search.folder.resolve() / f"trial{trial.number:04}"))
            for name, value in (("settings", values), ("folder", str(folder)), ("host", HOST)):
                trial.set_user_attr(name, value)
            held.enter_context(lock_models(folder, search.model))
        sides, data = open_splits(search.settings, DATA)
        training = search_space.with_values(search.settings, values)
        report = Report(trial)
        loss, state = None, TrialState.PRUNED
        try:
            history = train_model(
                search.settings.task, training, sides, data, folder,
                resume="unfinished", save_history=False, after_epoch=report,
            )  # fmt: skip
            report(history)  # where it was killed between its last checkpoint and this
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


class Report:
    """Tells a study the validation loss of each epoch, and ends a trial that is not worth going on with."""

    def __init__(self, trial: optuna.Trial) -> None:
        self.trial, self.told = trial, 0

    def __call__(self, metrics: TrainingMetrics) -> None:
        """Called when an epoch is recorded and saved; the first call may be for many, where a trial goes on."""
        stop_if_orphaned()
        losses = metrics.columns["val_loss"]
        for epoch in range(self.told + 1, len(losses) + 1):
            loss = losses[epoch - 1]
            assert loss is not None
            self.trial.report(loss, epoch)
            self.told = epoch
            if self.trial.should_prune():
                raise optuna.TrialPruned


def give_back_abandoned(search: Search, study: optuna.Study) -> None:
    """Queue the trials again whose process was killed: they go on where they were, from their checkpoints.

    A process that trains holds its trial's folder, and the operating system lets go of it when the process ends. Of
    trials on other machines it cannot be told. Called while the lock is held.
    """
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        # A machine may have got another name; an SQLite file has one machine alone.
        if not search.is_local and trial.user_attrs.get("host") != HOST:
            continue
        folder = Path(trial.user_attrs.get("folder", ""))
        if folder.is_absolute() and folder.is_dir():
            try:
                with lock_models(folder, search.model):
                    pass
            except KellyError:
                continue  # another process is at work on it
        elif not search.is_local:
            continue  # a machine of the same name, with other disks
        study.tell(trial.number, state=TrialState.FAIL)
        given = trial.user_attrs.get("given", {})
        kept = {"folder": str(folder)} if folder.is_absolute() and folder.is_dir() else {}
        study.enqueue_trial(given | trial.params, user_attrs=kept | ({"given": given} if given else {}))
