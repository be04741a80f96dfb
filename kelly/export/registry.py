"""registry.json: the metadata of every export in one file, with its size, its hash and its test scores."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from kelly.rtneural.reader import read
from kelly.runtime.atomic import write_text
from kelly.tasks import TASKS

REGISTRY = "registry.json"
TEST_SCORES = ("loss", "baseline_loss", "skill", "floor_loss")  # those of the metrics that go into the registry


def write_registry(
    output: Path, names: Iterable[str] = tuple(TASKS), scores: Mapping[str, Mapping[str, float]] | None = None
) -> dict[str, Any]:
    """Write `{output}/registry.json` from the exports called `names`, and return its models.

    scores: the metrics of each network, where they are known
    """
    models = {}
    for name in names:
        path = output / f"{name}.json"
        content = path.read_bytes()
        file = {"file": path.name, "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        test_scores = {key: scores[name][key] for key in TEST_SCORES if key in scores[name]} if scores else {}
        models[name] = file | dict(read(path).metadata) | ({"test_scores": test_scores} if test_scores else {})
    text = orjson.dumps({"registry_version": 1, "models": models}, option=orjson.OPT_INDENT_2).decode()
    write_text(output / REGISTRY, text + "\n")
    return models
