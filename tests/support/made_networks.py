"""Five exports with weights that are made, not trained: a plugin's worth of networks in a moment."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from kelly.audition.networks import Exports, checked
from kelly.export.contract import CONTRACTS
from kelly.export.rtneural_file import document
from kelly.tasks import LSTM, TASKS, Task


def weights(task: Task, seed: int, scale: float = 1.0) -> dict[str, Any]:
    """Weights of a network, drawn so that its units are neither idle nor saturated."""
    rng, found, size = np.random.default_rng(seed), {}, task.num_inputs
    for i, layer in enumerate(task.layers):
        shapes = (
            {"weight_ih_l0": (4 * layer.size, size), "weight_hh_l0": (4 * layer.size, layer.size),
             "bias_ih_l0": (4 * layer.size,), "bias_hh_l0": (4 * layer.size,)}
            if isinstance(layer, LSTM)
            else {"weight": (layer.size, size), "bias": (layer.size,)}
        )  # fmt: skip
        for name, shape in shapes.items():
            found[f"layers.{i}.{name}"] = (scale * rng.standard_normal(shape) / np.sqrt(size)).astype(np.float32)
        size = layer.size
    if task.name == "melodytransformer":  # some five pitches a bar
        found[f"layers.{len(task.layers) - 1}.bias"] -= 3.0
    return found


def written(task: Task, seed: int = 0, **metadata: Any) -> bytes:
    """An export as it stands in its file."""
    told = {"model": task.name, **CONTRACTS[task.name]({}), "seed": seed, "data": {"source": "synthetic"}}
    content = document(task.num_inputs, task.layers, weights(task, seed)) | {"metadata": told | metadata}
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


@cache
def made(seed: int) -> Exports:
    return checked("made", {name: written(task, seed) for name, task in TASKS.items()})


def exports(name: str = "made", seed: int = 0) -> Exports:
    return replace(made(seed), name=name)


def write_all(folder: Path, seed: int = 0) -> None:
    for name, task in TASKS.items():
        (folder / f"{name}.json").write_bytes(written(task, seed))
