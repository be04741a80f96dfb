"""Small training runs on random data, and the files they write."""

from pathlib import Path
from typing import Any

import numpy as np

from kelly.config.params import TrainingConfig
from kelly.data.dataset import Sequences
from kelly.tasks import TASKS, Task
from kelly.training import RunOptions, TrainingMetrics
from kelly.training.train_model import train_model


def small_data(name: str = "groovepredictor", n: int = 96) -> dict[str, Sequences]:
    """A training and a validation split whose targets can be learned from the inputs."""
    task, rng = TASKS[name], np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (n, 2, task.num_inputs)).astype(np.float32)
    weights = rng.standard_normal((task.num_inputs, task.num_outputs))
    targets = np.tanh(inputs @ weights / 8).astype(np.float32)
    sequences = Sequences(inputs, targets, np.array([str(i) for i in range(n)]))
    return {"train": sequences.take(np.arange(n // 2)), "validation": sequences.take(np.arange(n // 2, n))}


def random_sequences(
    task: Task, n: int = 60, num_frames: int = 5, ragged: bool = True, gaps: bool = False
) -> Sequences:
    """Random sequences of a task; `ragged`: of 1 to num_frames frames; `gaps`: with missing targets within."""
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (n, num_frames, task.num_inputs)).astype(np.float32)
    targets = rng.integers(0, 2, (n, num_frames, task.num_outputs)).astype(np.float32)
    if task.loss == "cross_entropy":
        targets = targets.argmax(axis=-1)
    valid = np.arange(num_frames) < rng.integers(1, num_frames + 1, n)[:, None]
    mask = np.broadcast_to(valid if targets.ndim == 2 else valid[..., None], targets.shape).copy()
    if gaps:
        mask &= rng.random(mask.shape) < 0.7
    groups = np.array([str(i) for i in range(n)])
    return Sequences(inputs, targets, groups, mask if ragged else None)


def settings(**changes: Any) -> TrainingConfig:
    """The training settings of a small run."""
    values: dict[str, Any] = {
        "seed": 1,
        "epochs": 4,
        "batch_size": 16,
        "learning_rate": 0.01,
        "early_stopping_patience": 10,
        "early_stopping_min_delta": 0.0,
        "early_stopping_min_delta_mode": "abs",
        "weight_decay": 0.0,
        "max_gradient_norm": 0.0,
        "learning_rate_schedule": "constant",
        "warmup_epochs": 0,
        "device": "cpu",
        "num_threads": 1,
    }
    return TrainingConfig(**values | changes)


def run(
    output: Path,
    resume: Any = "never",
    name: str = "groovepredictor",
    options: RunOptions | None = None,
    **changes: Any,
) -> TrainingMetrics:
    """Train a network on its small data."""
    data = {"sha256": "0"}
    return train_model(TASKS[name], settings(**changes), small_data(name), data, output, resume=resume, run=options)


def interrupt(output: Path, after: int, resume: Any = "never", **changes: Any) -> None:
    """Train as `run` does, and stop after the checkpoint of an epoch as a kill would."""

    def stop(metrics: TrainingMetrics) -> None:
        if len(metrics) == after:
            raise KeyboardInterrupt

    try:
        run(output, resume, options=RunOptions(after_epoch=stop), **changes)
    except KeyboardInterrupt:
        return
    raise AssertionError(f"the run ended before epoch {after}")


def files(output: Path) -> dict[str, bytes]:
    """The bytes of all files below a folder, without locks."""
    paths = [path for path in output.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {path.relative_to(output).as_posix(): path.read_bytes() for path in paths}
