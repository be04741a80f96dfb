"""Resuming an earlier run: whether there is one, whether the settings allow it, and how its state is restored."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import torch

from kelly.config.params import TrainingConfig
from kelly.networks import Network
from kelly.runtime.errors import KellyError
from kelly.tasks import Task
from kelly.training.adam import Adam
from kelly.training.checkpoints import CheckpointManager, EarlierVersionError, differences, load_weights
from kelly.training.early_stopping import EarlyStopping
from kelly.training.history import COLUMNS, TrainingMetrics

# Settings that only determine when training stops: they may change between a run and its continuation.
STOPPING = ("epochs", "early_stopping_patience", "early_stopping_min_delta", "early_stopping_min_delta_mode")

# never: train from scratch. unfinished: resume an interrupted run of the same settings, else train from scratch.
# same: likewise, but also resume a finished run. always: resume, or raise an error.
Resume = Literal["never", "unfinished", "same", "always"]


def earlier_run(
    manager: CheckpointManager,
    task: Task,
    settings: TrainingConfig,
    fingerprint: dict[str, Any],
    resume: Resume,
    data_keys: Collection[str] | None = None,
) -> dict[str, Any] | None:
    """The checkpoint to resume from; None: train from scratch.

    fingerprint: of the new run; data_keys: the entries of its data to compare, where the others are not yet known

    Raises KellyError if the checkpoint is not usable (unless `resume` is 'never'), and, if `resume` is 'always', if
    there is none, it is of another run, or that run is already past the epoch at which these settings stop.
    """
    path = manager.latest_path(task.name)
    if resume == "never" or (resume != "always" and not path.exists()):
        return None
    try:
        state = manager.load_latest(task.name)
    except EarlierVersionError:
        if resume == "always":
            raise
        print(f"{task.title}: retrained from scratch, since {path} is of an earlier version", flush=True)
        return None
    if resume == "unfinished" and state["finished"]:
        return None
    previous = state["fingerprint"]
    if previous is None:
        raise KellyError(
            f"{path} has no fingerprint of its settings and data; resume it with the code that wrote it, or delete it"
        )
    if data_keys is not None and isinstance(previous.get("data"), dict):
        previous = previous | {"data": {key: value for key, value in previous["data"].items() if key in data_keys}}
    # A cosine schedule depends on the number of epochs.
    may_differ = STOPPING if settings.learning_rate_schedule == "constant" else STOPPING[1:]
    changed = "\n".join(f"  {line}" for line in differences(previous, fingerprint, may_differ))
    end = last_epoch(state, settings)
    if changed:
        problem, remedy = f"was trained with other settings:\n{changed}", "\nRestore the previous settings to resume it"
    elif end is not None and end < state["epoch"]:
        problem = f"is at epoch {state['epoch']}, but with these settings training stops after epoch {end}"
        remedy = "; raise epochs or early_stopping_patience to resume it"
    else:
        return state
    if resume == "always":
        raise KellyError(f"{path} {problem}{remedy}, or train from scratch without --resume")
    print(f"{task.title}: retrained from scratch, since {path} {problem}{remedy}", flush=True)
    return None


def early_stopping(settings: TrainingConfig) -> EarlyStopping:
    """The early stopping of the settings."""
    return EarlyStopping(
        patience=settings.early_stopping_patience,
        min_delta=settings.early_stopping_min_delta,
        min_delta_mode=settings.early_stopping_min_delta_mode,
    )


def last_epoch(state: dict[str, Any], settings: TrainingConfig) -> int | None:
    """The epoch at which a run with the values of `state` stops under `settings`; None: it has not stopped yet."""
    stopper = early_stopping(settings)
    for epoch, value in enumerate(state["early_stopping"]["values"], start=1):
        if stopper(value) or epoch >= settings.epochs:
            return epoch
    return None


def restore_state(
    state: dict[str, Any],
    path: Path | str,
    network: Network,
    optimizer: Adam,
    stopper: EarlyStopping,
    metrics: TrainingMetrics,
    generator: torch.Generator | None,
) -> None:
    """Restore everything that takes part in training from the `state` read from `path`.

    Raises KellyError listing what does not fit; optimizer, stopper and metrics are then unchanged.
    """
    load_weights(network, state["early_stopping"]["best_weights"], path)
    load_weights(network, state["model_state_dict"], path)
    columns, epoch, monitored = state["metrics"], state["epoch"], state["early_stopping"]["values"]
    faults: list[str] = []
    if tuple(columns)[: len(COLUMNS)] != COLUMNS or {len(column) for column in columns.values()} != {epoch}:
        faults.append(f"metrics: expected {epoch} rows of {', '.join(COLUMNS)} and custom metrics")
    elif columns["epoch"] != list(range(1, epoch + 1)) or monitored not in (columns["val_loss"], columns["train_loss"]):
        faults.append("metrics: expected the losses that early stopping monitored")
    for key in ("optimizer_state_dict", "best_optimizer_state_dict"):
        faults += differences(state[key], optimizer.state_dict(), prefix=f"{key}.")
    try:
        if generator is not None:
            generator.set_state(state["generator_state"])
    except (RuntimeError, TypeError):
        faults.append("generator_state: expected the state of the generator that permutes the data")
    if faults:
        lines = "\n".join(f"  {line}" for line in faults)
        raise KellyError(f"{path} is inconsistent; delete it and train again:\n{lines}")
    optimizer.load_state_dict(state["optimizer_state_dict"])
    stopper.load_state_dict(state["early_stopping"])
    metrics.load_dict(columns)
