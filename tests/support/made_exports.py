"""Exports and data of a small task that are made, not trained: how wrong a network is can be said."""

from typing import Any

import numpy as np
import orjson

from kelly.data.dataset import Sequences
from kelly.experiments.revisions import Export, Run, read_export
from kelly.export.rtneural_file import document
from kelly.tasks import TASKS

TASK = TASKS["groovepredictor"]
SPLITTING = {"seed": 1, "validation_split": 0.2, "test_split": 0.2, "shuffle_inputs": False}
SHA256 = "0" * 64


def weights(error: float = 0.0, seed: int = 0) -> dict[str, Any]:
    """Those of a network that errs by noise of its own on all of them."""
    truth, noise = np.random.default_rng(0), np.random.default_rng(seed + 1)
    found, size = {}, TASK.num_inputs
    for i, layer in enumerate(TASK.layers):
        for name, shape in (("weight", (layer.size, size)), ("bias", (layer.size,))):
            exact = truth.standard_normal(shape) / np.sqrt(size)
            found[f"layers.{i}.{name}"] = (exact + error * noise.standard_normal(shape)).astype(np.float32)
        size = layer.size
    return found


def written(error: float = 0.0, seed: int = 1, sha256: str = SHA256, **training: Any) -> bytes:
    """An export as it stands in its file; with the same error and seed it is the same network."""
    metadata = {
        "seed": seed,
        "params": {"seed": seed, "epochs": 3, **training},
        "data": {"sha256": sha256, "splitting": SPLITTING},
        "code": "a",
        "torch_version": "2",
    }
    content = document(TASK.num_inputs, TASK.layers, weights(error, seed)) | {"metadata": metadata}
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def a_run(name: str, error: float = 0.0, seed: int = 1, **training: Any) -> Run:
    return Run(name, {}, {"loss": 1.0}, {}, read_export(TASK, written(error, seed, **training)))


def export_of(run: Run) -> Export:
    assert run.export is not None
    return run.export


def made_data(n: int = 300) -> Sequences:
    inputs = np.random.default_rng(2).uniform(-1, 1, (n, 1, TASK.num_inputs)).astype(np.float32)
    exact = export_of(a_run("exact")).model.run(inputs)
    targets = exact + 0.05 * np.random.default_rng(3).standard_normal(exact.shape)
    return Sequences(inputs, targets.astype(np.float32), np.array([f"{i:03}" for i in range(n)]))
