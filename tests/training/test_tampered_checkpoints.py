"""A checkpoint in which any value was changed is either used or rejected with a message, and no file is changed."""

import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.small_runs import files, run

from kelly.commands.evaluate_all import find_splits
from kelly.commands.train_all import prepare_data
from kelly.config import params
from kelly.data.loading import open_splits
from kelly.evaluation.evaluate import evaluate
from kelly.export.export_model import as_function, load_best
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS
from kelly.training import CheckpointManager
from kelly.training.train_model import train_model


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoints of a small run."""
    folder = tmp_path_factory.mktemp("trained")
    run(folder, epochs=2)
    return folder / "checkpoints"


def key_paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The key paths of all values within nested dicts and lists."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from key_paths(value[key], (*path, key))


@st.composite
def tampering(draw: st.DrawFn) -> Callable[[dict[str, Any]], None]:
    """A function that changes one value of a state."""
    change, value = draw(st.sampled_from(["replace", "remove", "add"])), draw(st.sampled_from(INVALID_VALUES))
    rng = draw(st.randoms(use_true_random=False))

    def tamper(state: dict[str, Any]) -> None:
        *parents, key = rng.choice([path for path in key_paths(state) if path])
        parent: Any = state
        for name in parents:
            parent = parent[name]
        if change == "add" and isinstance(parent, dict):
            parent["unknown"] = value
        elif change == "remove":
            del parent[key]
        else:
            parent[key] = value

    return tamper


INVALID_VALUES: list[Any] = [
    None,
    True,
    -1,
    10**30,
    math.nan,
    "x",
    [],
    {},
    [[]],
    {"a": 1},
    torch.zeros(3),
    torch.zeros(()).expand(2**40),
]


@settings(max_examples=100, derandomize=True, deadline=None)
@given(tampering())
def test_a_tampered_latest_checkpoint_is_resumed_or_rejected_without_changing_a_file(
    trained: Path, tamper: Callable[[dict[str, Any]], None]
) -> None:
    with TemporaryDirectory() as folder:
        output = Path(folder)
        shutil.copytree(trained, output / "checkpoints")
        path = output / "checkpoints/groovepredictor_latest.pt"
        state = torch.load(path)
        tamper(state)
        torch.save(state, path)
        before = files(output)
        message = None
        try:
            history = run(output, "always", epochs=3)
        except KellyError as error:
            message = str(error)
        if message is None:
            assert len(history) == 3
        else:
            assert str(path) in message or "training diverges" in message
            assert files(output) == before


@pytest.fixture(scope="module")
def output_folder(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data and the checkpoints of a small run of train_all_models.py."""
    folder, task = tmp_path_factory.mktemp("output"), TASKS["dynamicsengine"]
    config = params.load(project / params.PARAMS_FILE, {"epochs": 1})[task.name]
    config = replace(config, source="synthetic", data={"num_sequences": 60, "seed": 1})
    prepare_data(config, folder / "data")
    views, fingerprint = open_splits(config, folder / "data")
    train_model(task, config.training, views, fingerprint, folder)
    return folder


@settings(max_examples=150, derandomize=True, deadline=None)
@given(tampering())
def test_a_tampered_best_checkpoint_is_evaluated_or_rejected(
    output_folder: Path, tamper: Callable[[dict[str, Any]], None]
) -> None:
    task = TASKS["dynamicsengine"]
    with TemporaryDirectory() as folder:
        output = Path(folder)
        path = CheckpointManager(output).best_path(task.name)
        state = torch.load(output_folder / "checkpoints" / path.name)
        tamper(state)
        torch.save(state, path)
        message = ""
        try:
            network, checkpoint = load_best(task, output)
            splits = find_splits(task, checkpoint["fingerprint"]["data"], [output_folder / "data", output / "data"])
            scores = evaluate(task, as_function(network), splits)
        except KellyError as error:
            message = str(error)
        if message:
            assert str(path) in message or "is not what it was trained on" in message or "cannot be divided" in message
        else:
            assert scores.keys() >= {"loss", "skill"}
