"""What the killed processes of a search left: trials that are queued again, and folders."""

import re
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from optuna.trial import TrialState

from kelly.runtime.errors import KellyError
from kelly.runtime.locks import lock_models

if TYPE_CHECKING:
    from kelly.experiments.search import Search

HOST = socket.gethostname()
TRIAL = re.compile(r"trial\d{4,}")  # the name of a trial's folder


def requeue_abandoned(search: "Search", study: optuna.Study) -> None:
    """Queue the trials of killed processes again; they resume from their checkpoints.

    A training process locks the folder of its trial, and the operating system releases the lock when it ends. The
    trials of other machines cannot be checked. A trial without settings was killed while they were drawn: it is drawn
    again, from the same seed. Call this while the study is locked.
    """
    trials = study.get_trials(deepcopy=False)
    queued = {trial.user_attrs.get("continues") for trial in trials}
    for trial in trials:
        # The host name may have changed; an SQLite file belongs to one machine.
        if trial.state is not TrialState.RUNNING or not (search.is_local or trial.user_attrs.get("host") == HOST):
            continue
        attrs = {name: value for name, value in trial.user_attrs.items()
                 if name == "fixed" or (name == "folder" and TRIAL.fullmatch(Path(value).name)
                                        and Path(value).is_dir())}  # fmt: skip
        if "folder" in attrs:
            if is_locked(search, Path(attrs["folder"])):
                continue  # another process is training it
        elif not search.is_local:
            continue  # another machine of the same name
        asked = "settings" in trial.user_attrs
        values = attrs.get("fixed", {}) | (trial.params if asked else trial.system_attrs.get("fixed_params", {}))
        if values and trial.number not in queued:
            study.enqueue_trial(values, user_attrs=attrs | {"continues": trial.number})
        study.tell(trial.number, state=TrialState.FAIL)


def remove_abandoned_folders(search: "Search", study: optuna.Study) -> None:
    """Remove the folders of trials that ended: of a process that was killed before it could do so."""
    states = (TrialState.RUNNING, TrialState.WAITING)
    in_use = {trial.user_attrs.get("folder") for trial in study.get_trials(deepcopy=False, states=states)}
    for folder in search.folder.resolve().glob("trial[0-9]*"):
        if str(folder) not in in_use and not is_locked(search, folder):
            shutil.rmtree(folder)


def is_trial_of(search: "Search", folder: Path) -> bool:
    """Whether the folder that a database names is one in which this search may train, and which it may remove."""
    return folder.parent == search.folder.resolve() and TRIAL.fullmatch(folder.name) is not None


def is_locked(search: "Search", folder: Path) -> bool:
    """Whether a process is training a trial in `folder`."""
    try:
        with lock_models(folder, search.config.task.name):
            return False
    except KellyError:
        return True
