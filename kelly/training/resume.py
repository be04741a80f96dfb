"""Going on with an earlier run: whether there is one, whether the settings allow it, and how its state is taken up."""

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from kelly.config.params import TrainingConfig
from kelly.networks import Network
from kelly.runtime.errors import KellyError
from kelly.tasks import Task
from kelly.training.adam import Adam
from kelly.training.checkpoints import CheckpointManager, EarlierVersionError, form, load_weights
from kelly.training.early_stopping import EarlyStopping
from kelly.training.history import COLUMNS, TrainingMetrics

# Settings that only say when to stop: they may change between a run and its continuation.
STOPPING = ("epochs", "early_stopping_patience", "early_stopping_min_delta", "early_stopping_min_delta_mode")

# never: train afresh. unfinished: go on with a run of the same settings that was stopped, else train afresh.
# same: so too where that run came to its end. always: go on with what is there, or refuse.
Resume = Literal["never", "unfinished", "same", "always"]


def earlier_run(
    manager: CheckpointManager,
    task: Task,
    settings: TrainingConfig,
    fingerprint: dict[str, Any],
    resume: Resume,
    data_keys: Collection[str] | None = None,
) -> dict[str, Any] | None:
    """The state to go on from, or None to train afresh.

    fingerprint: what the run is told by; data_keys: compare only these of its data, since the others are not known yet
    Raises KellyError where `resume` is 'always' and there is nothing, the run was another one, or it has already gone
    further than it would have with these settings; and, unless `resume` is 'never', where the file is not usable.
    """
    path = manager.latest_path(task.name)
    if resume == "never" or (resume != "always" and not path.exists()):
        return None
    try:
        state = manager.load_latest(task.name)
    except EarlierVersionError:
        if resume == "always":
            raise
        print(f"{task.title}: trained afresh, since {path} is of an earlier version of this project", flush=True)
        return None
    if resume == "unfinished" and state["finished"]:
        return None
    if state["fingerprint"] is None:
        raise KellyError(
            f"{path} does not say what it was trained with; go on in the code that made it, or train afresh"
        )
    before = state["fingerprint"]
    if data_keys is not None and isinstance(before.get("data"), dict):
        before = before | {"data": {key: value for key, value in before["data"].items() if key in data_keys}}
    stopping = STOPPING if settings.learning_rate_schedule == "constant" else STOPPING[1:]  # it ends with the epochs
    changed = "\n".join(f"  {line}" for line in differences(before, fingerprint, stopping))
    end = last_epoch(state, settings)
    if changed:
        what = f"was trained with other settings:\n{changed}\nGive the settings back their former values"
    elif end is not None and end < state["epoch"]:
        what = f"has come to epoch {state['epoch']}; with these settings the run would have ended after epoch {end}"
        what += ". Raise epochs, early_stopping_patience"
    else:
        return state
    if resume == "always":
        raise KellyError(f"{path} {what}, or train afresh without --resume")
    print(f"{task.title}: trained afresh, since {path} {what} to go on instead", flush=True)
    return None


def early_stopping(settings: TrainingConfig) -> EarlyStopping:
    """The early stopping that the settings ask for."""
    return EarlyStopping(
        patience=settings.early_stopping_patience,
        min_delta=settings.early_stopping_min_delta,
        min_delta_mode=settings.early_stopping_min_delta_mode,
    )


def last_epoch(state: dict[str, Any], settings: TrainingConfig) -> int | None:
    """The epoch with which a run that saw what `state` has seen ends under `settings`; None: it is not at its end."""
    stopper = early_stopping(settings)
    for epoch, value in enumerate(state["early_stopping"]["values"], start=1):
        if stopper(value) or epoch >= settings.epochs:
            return epoch
    return None


def differences(before: dict[str, Any], now: dict[str, Any], but: Collection[str] = (), prefix: str = "") -> list[str]:
    """What keeps two runs from being the same one, a line each: 'learning_rate: checkpoint 0.001, now 0.0005'.

    but: keys that may differ
    """
    lines = []
    for key in sorted(before.keys() | now.keys(), key=str):
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            lines += differences(old, new, but, "" if key == "training" else f"{prefix}{key}.")
        elif old != new and key not in but:
            lines.append(f"{prefix}{key}: checkpoint {old!s:.200}, now {new!s:.200}")
    return lines


def restore_state(
    state: dict[str, Any],
    path: Path | str,
    network: Network,
    optimizer: Adam,
    stopper: EarlyStopping,
    metrics: TrainingMetrics,
    generator: torch.Generator | None,
) -> None:
    """Bring everything that takes part in training to where it was when `state`, read from `path`, was saved.

    Raises KellyError where a part of the state belongs to another run.
    """
    load_weights(network, state["early_stopping"]["best_weights"], path)
    load_weights(network, state["model_state_dict"], path)
    columns, epoch, watched = state["metrics"], state["epoch"], state["early_stopping"]["values"]
    wrong = []
    if tuple(columns) != COLUMNS or {len(column) for column in columns.values()} != {epoch}:
        wrong.append(f"metrics: not {epoch} rows of {', '.join(COLUMNS)}")
    elif columns["epoch"] != list(range(1, epoch + 1)) or watched not in (columns["val_loss"], columns["train_loss"]):
        wrong.append("metrics: not the epochs that early stopping has seen")
    wrong += optimizer_faults(state["optimizer_state_dict"], optimizer)
    try:
        if generator is not None:
            generator.set_state(state["generator_state"])
    except (RuntimeError, TypeError):
        wrong.append("generator_state: not that of the generator that orders the batches")
    if wrong:
        lines = "\n".join(f"  {line}" for line in wrong)
        raise KellyError(f"{path} holds a state that does not fit together; delete it and train again:\n{lines}")
    optimizer.load_state_dict(state["optimizer_state_dict"])
    stopper.load_state_dict(state["early_stopping"])
    metrics.load_dict(columns)


def optimizer_faults(given: dict[str, Any], optimizer: Adam) -> list[str]:
    """What keeps a saved state from being that of this optimizer of this network, a line each."""
    forms = [
        {name: form(value) if isinstance(value, Tensor) else value for name, value in state.items()}
        for state in (given, optimizer.state_dict())
    ]
    return [
        f"optimizer_state_dict.{name}: {forms[0].get(name)}, expected {expected}"
        for name, expected in forms[1].items()
        if forms[0].get(name) != expected
    ]


def code_hash() -> str:
    """A hash of the modules that decide what a run computes."""
    digest = hashlib.sha256()
    package = Path(__file__).parents[1]
    for path in [*sorted(package.glob("training/*.py")), package / "networks.py", package / "tasks" / "layers.py"]:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]
