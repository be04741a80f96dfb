"""Five exports with random weights: a full set of networks without training."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from kelly.audition.networks import Exports, parse_exports
from kelly.export.contract import CONTRACTS
from kelly.export.rtneural_file import to_document
from kelly.tasks import LSTM, TASKS, Task


def random_weights(task: Task, seed: int) -> dict[str, Any]:
    """Weights scaled so that the units are neither idle nor saturated, of few digits, so that pages load fast."""
    rng, weights, size = np.random.default_rng(seed), {}, task.num_inputs
    for i, layer in enumerate(task.layers):
        shapes = (
            {"weight_ih_l0": (4 * layer.size, size), "weight_hh_l0": (4 * layer.size, layer.size),
             "bias_ih_l0": (4 * layer.size,), "bias_hh_l0": (4 * layer.size,)}
            if isinstance(layer, LSTM)
            else {"weight": (layer.size, size), "bias": (layer.size,)}
        )  # fmt: skip
        for name, shape in shapes.items():
            weights[f"layers.{i}.{name}"] = (rng.standard_normal(shape) / np.sqrt(size)).round(2).astype(np.float32)
        size = layer.size
    if task.name == "melodytransformer":  # some five pitches per bar
        weights[f"layers.{len(task.layers) - 1}.bias"] -= 3.0
    return weights


def export_bytes(task: Task, seed: int = 0, **metadata: Any) -> bytes:
    """The content of an export file."""
    common = {"model": task.name, **CONTRACTS[task.name]({}), "seed": seed, "data": {"source": "synthetic"}}
    content = to_document(task.num_inputs, task.layers, random_weights(task, seed)) | {"metadata": common | metadata}
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


@cache
def _random_exports(seed: int) -> Exports:
    return parse_exports("random", {name: export_bytes(task, seed) for name, task in TASKS.items()})


def random_exports(name: str = "random", seed: int = 0) -> Exports:
    return replace(_random_exports(seed), name=name)


def write_exports(folder: Path, seed: int = 0) -> Path:
    """Write the exports to a new folder."""
    folder.mkdir()
    for name, data in random_exports(seed=seed).files.items():
        (folder / f"{name}.json").write_bytes(data)
    return folder
