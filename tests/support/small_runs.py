"""Small training runs, and their files compared bit by bit."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from kill_anywhere import exact

from kelly.config.params import TrainingConfig
from kelly.data.dataset import Sequences
from kelly.tasks import TASKS, Task
from kelly.training import TrainingMetrics
from kelly.training.train_model import train_model


def small_data(name: str = "groovepredictor", n: int = 96) -> dict[str, Sequences]:
    task, rng = TASKS[name], np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (n, 2, task.num_inputs)).astype(np.float32)
    weights = rng.standard_normal((task.num_inputs, task.num_outputs))
    targets = np.tanh(inputs @ weights / 8).astype(np.float32)
    sequences = Sequences(inputs, targets, np.array([str(i) for i in range(n)]))
    return {"train": sequences.take(np.arange(n // 2)), "validation": sequences.take(np.arange(n // 2, n))}


def drawn(task: Task, n: int = 60, num_frames: int = 5, ragged: bool = True, gaps: bool = False) -> Sequences:
    """Random sequences of a task; `ragged`: of 1 to num_frames frames; `gaps`: with targets missing before an end."""
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (n, num_frames, task.num_inputs)).astype(np.float32)
    targets = rng.integers(0, 2, (n, num_frames, task.num_outputs)).astype(np.float32)
    if task.loss == "cross_entropy":
        targets = targets.argmax(axis=-1)
    there = np.arange(num_frames) < rng.integers(1, num_frames + 1, n)[:, None]
    mask = np.broadcast_to(there if targets.ndim == 2 else there[..., None], targets.shape).copy()
    if gaps:
        mask &= rng.random(mask.shape) < 0.7
    groups = np.array([str(i) for i in range(n)])
    return Sequences(inputs, targets, groups, mask if ragged else None)


def settings(**changes: Any) -> TrainingConfig:
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


def run(output: Path, resume: Any = "never", **changes: Any) -> TrainingMetrics:
    return train_model(
        TASKS["groovepredictor"], settings(**changes), small_data(), {"sha256": "0"}, output, resume=resume
    )


def files(output: Path) -> dict[str, bytes | str]:
    """All files below a folder but locks. What is in a latest checkpoint is compared, not how pickle ordered it."""
    found: dict[str, bytes | str] = {}
    for path in output.rglob("*"):
        if path.is_file() and path.suffix != ".lock":
            name = path.relative_to(output).as_posix()
            found[name] = exact(torch.load(path)) if name.endswith("_latest.pt") else path.read_bytes()
    return found
