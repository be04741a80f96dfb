"""What each network's checkpoint, history, export, proof and playing in NumPy take, beside an epoch of its training."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.measure import Way, in_turns, spread, timed
from kelly.export.export_model import as_function
from kelly.export.rtneural_file import document, export
from kelly.networks import Network
from kelly.rtneural.reader import read
from kelly.tasks import TASKS, Task
from kelly.training.adam import Adam
from kelly.training.backprop import Backprop
from kelly.training.checkpoints import CheckpointManager
from kelly.training.early_stopping import EarlyStopping
from kelly.training.history import TrainingMetrics

FRAMES = 2_000


def measure(rounds: int) -> dict[str, Any]:
    """Milliseconds of each piece for each network."""
    found = {}
    for name, task in TASKS.items():
        with tempfile.TemporaryDirectory() as temporary:
            ways = pieces(task, Path(temporary))
            seconds = in_turns(ways, rounds, name)
            found[name] = {f"{what}, ms": spread(taken, 1e3) for what, taken in seconds.items()}
    return found


def pieces(task: Task, folder: Path) -> dict[str, Way]:
    """The ways of one network."""
    network = Network(task)
    passes = Backprop(network)
    optimizer = Adam(passes.parameters, passes.gradient, 0.001)
    manager, stopper, history = CheckpointManager(folder), EarlyStopping(), TrainingMetrics()
    for epoch in range(1, 51):
        history.add(epoch, 1.0 / epoch, 1.1 / epoch, 0.5, 0.4)
        stopper(1.1 / epoch, network)

    def checkpoint() -> None:
        state = {
            "epoch": 50,
            "finished": False,
            "loss_limit": 1.0,
            "model_state_dict": network.state_dict(),
            "optimizer_state_dict": optimizer.state_dict(),
            "generator_state": torch.Generator().get_state(),
            "early_stopping": stopper.state_dict(),
            "metrics": history.to_dict(),
            "about": {},
        }
        manager.save_latest(task.name, state)

    def histories() -> None:
        history.save_json(folder / "history.json")
        history.save_csv(folder / "history.csv")

    inputs = np.random.default_rng(1).uniform(-1, 1, (1, FRAMES, task.num_inputs)).astype(np.float32)
    path = folder / f"{task.name}.json"

    def export_and_prove() -> None:
        weights = {name: weight.numpy() for name, weight in network.state_dict().items()}
        content = document(task.num_inputs, task.layers, weights)
        export(
            path, content, lambda _model, error: {"parity_error": error}, num_parameters=task.num_parameters,
            trained=as_function(network), inputs=inputs, seed=1,
        )  # fmt: skip

    export_and_prove()
    model = read(path)
    work: dict[str, Callable[[], object]] = {
        "checkpoint": checkpoint,
        "histories": histories,
        "export and proof": export_and_prove,
        f"{FRAMES:,} frames in NumPy": lambda: model.run(inputs),
    }
    return {what: partial(timed, one) for what, one in work.items()}
