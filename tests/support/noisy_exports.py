"""Exports and data of a small task without training: each network is the true one plus noise of a given size."""

from typing import Any

import numpy as np
import orjson

from kelly.data.dataset import Sequences
from kelly.experiments.revisions import Export, Run, read_export
from kelly.export.rtneural_file import to_document
from kelly.tasks import TASKS

TASK = TASKS["groovepredictor"]
SPLITTING = {"seed": 1, "validation_split": 0.2, "test_split": 0.2, "shuffle_inputs": False}
SHA256 = "0" * 64


def noisy_weights(error: float = 0.0, seed: int = 0) -> dict[str, Any]:
    """The true weights plus `error` times noise."""
    truth, noise = np.random.default_rng(0), np.random.default_rng(seed + 1)
    weights, size = {}, TASK.num_inputs
    for i, layer in enumerate(TASK.layers):
        for name, shape in (("weight", (layer.size, size)), ("bias", (layer.size,))):
            exact = truth.standard_normal(shape) / np.sqrt(size)
            weights[f"layers.{i}.{name}"] = (exact + error * noise.standard_normal(shape)).astype(np.float32)
        size = layer.size
    return weights


def export_bytes(error: float = 0.0, seed: int = 1, sha256: str = SHA256, **training: Any) -> bytes:
    """The content of an export file; the same error and seed give the same network."""
    metadata = {
        "seed": seed,
        "params": {"seed": seed, "epochs": 3, **training},
        "data": {"sha256": sha256, "splitting": SPLITTING},
        "code": "a",
        "torch_version": "2",
    }
    content = to_document(TASK.num_inputs, TASK.layers, noisy_weights(error, seed)) | {"metadata": metadata}
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def noisy_run(name: str, error: float = 0.0, seed: int = 1, **training: Any) -> Run:
    return Run(name, {}, {"loss": 1.0}, {}, read_export(TASK, export_bytes(error, seed, **training)))


def export_of(run: Run) -> Export:
    assert run.export is not None
    return run.export


def sequences(n: int = 300) -> Sequences:
    """Targets are the true network's outputs plus noise."""
    inputs = np.random.default_rng(2).uniform(-1, 1, (n, 1, TASK.num_inputs)).astype(np.float32)
    exact = export_of(noisy_run("exact")).model.run(inputs)
    targets = exact + 0.05 * np.random.default_rng(3).standard_normal(exact.shape)
    return Sequences(inputs, targets.astype(np.float32), np.array([f"{i:03}" for i in range(n)]))
