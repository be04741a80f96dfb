"""One training run from settings to files: network, batches, resume, histories and plots.

The DVC stage and the command line both call `train_model`, so that they cannot come to differ.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import torch

from kelly import plots
from kelly.datasets.sequences import Sequences
from kelly.errors import KellyError
from kelly.networks import Network
from kelly.params import Training
from kelly.tasks import Task
from kelly.training.batches import Batches
from kelly.training.checkpoints import CheckpointManager
from kelly.training.early_stopping import EarlyStopping
from kelly.training.history import TrainingMetrics
from kelly.training.loop import train

# Settings that only say when to stop: they may change between a run and its continuation.
STOPPING = ("epochs", "early_stopping_patience", "early_stopping_min_delta", "early_stopping_min_delta_mode")
VALIDATION_BATCH = 1_024
Resume = Literal["never", "unfinished", "always"]


def train_model(
    task: Task,
    settings: Training,
    parts: Mapping[str, Sequences],
    data: Mapping[str, Any],
    output: Path,
    *,
    resume: Resume = "never",
    save_history: bool = True,
    save_plots: bool = True,
) -> TrainingMetrics:
    """Train one network and leave checkpoints, histories and plots under `output`, in the tree that README shows.

    parts: 'train' and 'validation'; data: what identifies the data (source, settings, hash), kept in the checkpoints
    resume: 'never' trains afresh; 'unfinished' goes on with a killed run of the same settings, else trains afresh;
        'always' goes on with whatever is there, and raises KellyError where there is nothing or settings differ
    """
    device = choose_device(settings.device)
    torch.set_num_threads(settings.num_threads)
    manager = CheckpointManager(output / "checkpoints")
    about = {
        "training": asdict(settings),
        "data": dict(data),
        "network": f"{task.num_inputs} inputs, {task.layers}, {task.loss}",
        "code": code_hash(),
        "torch": str(torch.__version__),
    }
    state = None if resume == "never" else earlier_run(manager, task, about, resume)
    if state is not None:
        done = is_finished(state, settings)
        print(f"{task.title}: {'finished' if done else 'going on'} after epoch {state['epoch']}", flush=True)
    network = Network(task, settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)

    def write(metrics: TrainingMetrics) -> None:
        if save_history:
            metrics.save_json(output / "history" / f"{task.name}_history.json")
            metrics.save_csv(output / "history" / f"{task.name}_history.csv")

    metrics = train(
        network,
        Batches(parts["train"], settings.batch_size, generator, device),
        Batches(parts["validation"], VALIDATION_BATCH, None, device),
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        early_stopping=early_stopping(settings),
        checkpoint_manager=manager,
        device=device,
        about=about,
        resume_from=state,
        after_epoch=write,
    )
    write(metrics)
    if state is not None:
        rewrite_best(manager, task, metrics, about)
    if save_plots:
        plots.training_curves(task, metrics.to_dict(), output / "plots")
    return metrics


def early_stopping(settings: Training) -> EarlyStopping:
    """The early stopping that the settings ask for."""
    return EarlyStopping(
        patience=settings.early_stopping_patience,
        min_delta=settings.early_stopping_min_delta,
        min_delta_mode=settings.early_stopping_min_delta_mode,
    )


def is_finished(state: dict[str, Any], settings: Training) -> bool:
    """Whether a run that came as far as `state` is at its end under `settings`."""
    stopper = early_stopping(settings)
    stopper.load_state_dict(state["early_stopping"])
    return bool(stopper.should_stop or state["epoch"] >= settings.epochs)


def earlier_run(manager: CheckpointManager, task: Task, about: dict[str, Any], resume: Resume) -> dict[str, Any] | None:
    """The state to go on from, or None to train afresh; see `train_model`."""
    path = manager.latest_path(task.name)
    if resume == "unfinished" and not path.exists():
        return None
    state = manager.load_latest(task.name)
    if not isinstance(state.get("about"), dict):
        raise KellyError(
            f"{path} does not say what it was trained with; go on in the code that made it, or train afresh"
        )
    changed = differences(state["about"], about)
    if resume == "always" and changed:
        lines = "\n".join(f"  {line}" for line in changed)
        raise KellyError(
            f"{path} was trained with other settings:\n{lines}\n"
            "Give the settings back their former values, or train afresh without --resume"
        )
    # What a stage leaves behind is kept under its settings: they must all be the same, those of stopping as well.
    if resume == "unfinished" and (state["finished"] or state["about"] != about):
        return None
    return state


def code_hash() -> str:
    """A hash of the modules that decide what a run computes."""
    digest = hashlib.sha256()
    package = Path(__file__).parents[1]
    for path in [*sorted(package.glob("training/*.py")), package / "networks.py", package / "layers.py"]:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def differences(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[str]:
    """What keeps two runs from being the same one, a line each: 'learning_rate: checkpoint 0.001, now 0.0005'."""
    lines = []
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            lines += differences(old, new, "" if key == "training" else f"{prefix}{key}.")
        elif old != new and key not in STOPPING:
            lines.append(f"{prefix}{key}: checkpoint {old}, now {new}")
    return lines


def rewrite_best(manager: CheckpointManager, task: Task, metrics: TrainingMetrics, about: dict[str, Any]) -> None:
    """Write the best checkpoint from the latest, which holds it: DVC deletes it when it starts a stage again."""
    state = manager.load_latest(task.name)
    epoch = best_epoch(metrics.to_dict())
    best = {
        "epoch": epoch,
        "val_loss": metrics.columns["val_loss"][epoch - 1],
        "model_state_dict": state["early_stopping"]["best_weights"],
        "about": about,
    }
    manager.save_best(task.name, best)


def best_epoch(columns: Mapping[str, list[Any]]) -> int:
    """The epoch (from 1) with the lowest validation loss in a history."""
    losses = columns["val_loss"]
    return min(range(len(losses)), key=lambda i: losses[i]) + 1


def choose_device(name: str) -> torch.device:
    """The device called auto, cpu, cuda or mps. Raises KellyError, listing those that are there, where it is not."""
    there = ["cpu"]
    if torch.backends.mps.is_available():
        there.insert(0, "mps")
    if torch.cuda.is_available():
        there.insert(0, "cuda")
    if name == "auto":
        return torch.device(there[0])
    if name not in there:
        raise KellyError(f"device {name!r} is not on this machine; there is: {', '.join(there)} (or auto)")
    return torch.device(name)
