"""Time of each network's checkpoint, histories, export with its proof, and NumPy reader."""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.measure import Candidate, alternate, spread, timed
from kelly.export.export_model import as_function
from kelly.export.rtneural_file import Reference, export, to_document
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
    """Milliseconds of each component for each network."""
    result = {}
    for name, task in TASKS.items():
        with tempfile.TemporaryDirectory() as temporary:
            seconds = alternate(components(task, Path(temporary)), rounds, name)
            result[name] = {f"{component}, ms": spread(values, 1e3) for component, values in seconds.items()}
    return result


def components(task: Task, folder: Path) -> dict[str, Candidate]:
    """The components of one network, in `folder`."""
    network = Network(task)
    backprop = Backprop(network)
    optimizer = Adam(backprop.parameters, backprop.gradient, 0.001)
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
            "best_optimizer_state_dict": Adam(
                torch.zeros_like(backprop.parameters), backprop.gradient, 0.001
            ).state_dict(),
            "generator_state": torch.Generator().get_state(),
            "early_stopping": stopper.state_dict(),
            "metrics": history.to_dict(),
            "fingerprint": {},
        }
        manager.save_latest(task.name, state)

    def histories() -> None:
        history.save_json(folder / "history.json")
        history.save_csv(folder / "history.csv")

    inputs = np.random.default_rng(1).uniform(-1, 1, (1, FRAMES, task.num_inputs)).astype(np.float32)
    path = folder / f"{task.name}.json"

    weights = {name: weight.numpy() for name, weight in network.state_dict().items()}
    reference = Reference(as_function(network), task.num_parameters, inputs, seed=1)

    def export_and_prove() -> None:
        document = to_document(task.num_inputs, task.layers, weights)
        export(path, document, reference, lambda _model, error: {"parity_error": error})

    export_and_prove()
    model = read(path)
    return {
        "checkpoint": partial(timed, checkpoint),
        "histories": partial(timed, histories),
        "export and proof": partial(timed, export_and_prove),
        f"{FRAMES:,} frames in NumPy": partial(timed, partial(model.run, inputs)),
    }
