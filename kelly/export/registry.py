"""The registry: one JSON that says of every export what its metadata says, with its size and hash."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from kelly.rtneural.reader import read
from kelly.runtime.atomic import write_text
from kelly.tasks import TASKS

REGISTRY = "registry.json"


def write_registry(output: Path, names: Iterable[str] = tuple(TASKS)) -> dict[str, Any]:
    """Write `{output}/registry.json` from the exports of the networks called `names`, and return its models."""
    models = {}
    for name in names:
        path = output / f"{name}.json"
        content = path.read_bytes()
        file = {"file": path.name, "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        models[name] = file | dict(read(path).metadata)
    text = orjson.dumps({"registry_version": 1, "models": models}, option=orjson.OPT_INDENT_2).decode()
    write_text(output / REGISTRY, text + "\n")
    return models
