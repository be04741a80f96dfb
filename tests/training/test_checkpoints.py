"""Checkpoints: whole, safe to read whoever made them, and told apart where they are not what they should be."""

import math
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.small_runs import run

from kelly.commands.evaluate_all import test_parts as parts_of_test  # a name that pytest does not collect
from kelly.commands.train_all import prepare
from kelly.config import params
from kelly.data.loading import open_splits
from kelly.evaluation.evaluate import evaluate
from kelly.export.export_model import as_function, load_best
from kelly.networks import DynamicsEngine, GroovePredictor
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS
from kelly.training import CheckpointManager, checkpoints
from kelly.training.checkpoints import load_weights
from kelly.training.train_model import train_model


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoints of a small run."""
    folder = tmp_path_factory.mktemp("trained")
    run(folder, epochs=2)
    return folder / "checkpoints"


@pytest.fixture
def manager(trained: Path, tmp_path: Path) -> CheckpointManager:
    """A copy of them, to be broken."""
    shutil.copytree(trained, tmp_path / "checkpoints")
    return CheckpointManager(tmp_path / "checkpoints")


def refusals(manager: CheckpointManager) -> list[str]:
    """What is said of the latest and the best checkpoint of GroovePredictor."""
    messages = []
    for load in (manager.load_latest, manager.load_best):
        with pytest.raises(KellyError) as error:
            load("groovepredictor")
        messages.append(str(error.value))
    return messages


def both(manager: CheckpointManager) -> list[Path]:
    return [manager.latest_path("groovepredictor"), manager.best_path("groovepredictor")]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 truncated", b"garbage", b"\x80\x02}q\x00."])
def test_what_is_no_checkpoint_is_told(manager: CheckpointManager, content: bytes) -> None:
    for path in both(manager):
        path.write_bytes(content)
    for path, message in zip(both(manager), refusals(manager), strict=True):
        assert message.startswith(f"{path} is not a whole checkpoint of plain tensors (")
        assert message.endswith("delete it and train again")


def test_a_checkpoint_that_was_cut_short_anywhere_is_told(manager: CheckpointManager) -> None:
    path = manager.latest_path("groovepredictor")
    whole = path.read_bytes()
    for length in range(0, len(whole), len(whole) // 40):
        path.write_bytes(whole[:length])
        with pytest.raises(KellyError, match="is not a whole checkpoint"):
            manager.load_latest("groovepredictor")


def test_one_bit_that_flipped_on_the_disk_is_noticed(manager: CheckpointManager) -> None:
    path = manager.best_path("groovepredictor")
    data = bytearray(path.read_bytes())
    weight = manager.load_best("groovepredictor")["model_state_dict"]["layers.0.weight"].numpy().tobytes()
    data[data.index(weight) + 5] ^= 1
    path.write_bytes(data)
    with pytest.raises(KellyError, match=r"does not match its checksum\); delete it"):
        manager.load_best("groovepredictor")


def test_a_folder_or_an_oversized_file_is_told(manager: CheckpointManager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "MAX_BYTES", 1_000)
    assert all("expected at most 1000" in message for message in refusals(manager))
    for path in both(manager):
        path.unlink()
        path.mkdir()
    assert all("is not a file, expected a checkpoint" in message for message in refusals(manager))


def test_a_compressed_archive_is_refused_before_it_is_unpacked(manager: CheckpointManager) -> None:
    path = manager.best_path("groovepredictor")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", bytes(10_000_000))
    with pytest.raises(KellyError, match=r"x/data\.pkl is compressed"):
        manager.load_best("groovepredictor")


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Malicious:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "owned",))

    torch.save({"version": 2, "model": "groovepredictor", "x": Malicious()}, tmp_path / "groovepredictor_best.pt")
    with pytest.raises(KellyError, match="plain tensors"):
        CheckpointManager(tmp_path).load_best("groovepredictor")
    assert not (tmp_path / "owned").exists()


def test_a_missing_or_foreign_checkpoint_or_one_of_another_version_is_named(manager: CheckpointManager) -> None:
    latest, best = both(manager)
    state = manager.load_best("groovepredictor")
    manager.save_best("dynamicsengine", state)
    manager.best_path("dynamicsengine").rename(best)
    with pytest.raises(KellyError, match="is a checkpoint of 'dynamicsengine', expected 'groovepredictor'"):
        manager.load_best("groovepredictor")
    torch.save({**state, "version": 1}, best)
    with pytest.raises(KellyError, match="has version 1, expected 4; delete it and train again"):
        manager.load_best("groovepredictor")
    best.unlink()
    with pytest.raises(KellyError, match=r"is missing \(.*: it holds groovepredictor_latest\.pt\); train gr"):
        manager.load_best("groovepredictor")
    latest.unlink()
    with pytest.raises(KellyError, match="it holds no checkpoints"):
        manager.load_best("groovepredictor")


def test_weights_of_another_network_are_listed(tmp_path: Path) -> None:
    with pytest.raises(KellyError, match=r"layers\.0\.weight: checkpoint \(128, 32\) \S+, network \(128, 64\)"):
        load_weights(GroovePredictor(), DynamicsEngine().state_dict(), tmp_path / "x.pt")


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place within nested dicts and lists."""
    yield at
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*at, key))


@st.composite
def tampering(draw: st.DrawFn) -> Callable[[dict[str, Any]], None]:
    """Something that changes one place of a state."""
    how, strange = draw(st.sampled_from(["replace", "remove", "add"])), draw(st.sampled_from(STRANGE))
    chosen = draw(st.randoms(use_true_random=False))

    def tamper(state: dict[str, Any]) -> None:
        *parents, key = chosen.choice([place for place in places(state) if place])
        part: Any = state
        for name in parents:
            part = part[name]
        if how == "add" and isinstance(part, dict):
            part["unknown"] = strange
        elif how == "remove":
            del part[key]
        else:
            part[key] = strange

    return tamper


STRANGE: list[Any] = [
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
def test_a_state_that_was_tampered_with_is_taken_up_or_refused_and_then_changes_nothing(
    trained: Path, tamper: Callable[[dict[str, Any]], None]
) -> None:
    with TemporaryDirectory() as folder:
        output = Path(folder)
        shutil.copytree(trained, output / "checkpoints")
        path = output / "checkpoints/groovepredictor_latest.pt"
        state = torch.load(path)
        tamper(state)
        torch.save(state, path)
        before = {file: file.read_bytes() for file in output.rglob("*.pt")}
        message = None
        try:
            history = run(output, resume="always", epochs=3)
        except KellyError as error:
            message = str(error)
        if message is None:
            assert len(history) == 3
        else:
            assert str(path) in message or "training diverges" in message
            assert {file: file.read_bytes() for file in output.rglob("*.pt")} == before


@pytest.fixture(scope="module")
def released(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run on data that its checkpoints describe in full."""
    folder, task = tmp_path_factory.mktemp("released"), TASKS["dynamicsengine"]
    known = params.load(project / params.PARAMS_FILE, {"epochs": 1})[task.name]
    known = replace(known, source="synthetic", data={"num_sequences": 60, "seed": 1})
    prepare(known, folder / "data")
    sides, about = open_splits(known, folder / "data")
    train_model(task, known.training, sides, about, folder)
    return folder


@settings(max_examples=150, derandomize=True, deadline=None)
@given(tampering())
def test_a_strangers_best_checkpoint_is_evaluated_or_refused(
    released: Path, tamper: Callable[[dict[str, Any]], None]
) -> None:
    task = TASKS["dynamicsengine"]
    with TemporaryDirectory() as folder:
        output = Path(folder)
        path = CheckpointManager(output).best_path(task.name)
        state = torch.load(released / "checkpoints" / path.name)
        tamper(state)
        torch.save(state, path)
        message = ""
        try:
            network, checkpoint = load_best(task, output)
            parts = parts_of_test(task, checkpoint["fingerprint"]["data"], [released / "data", output / "data"])
            scores = evaluate(task, as_function(network), parts)
        except KellyError as error:
            message = str(error)
        if message:
            assert str(path) in message or "is not what it was trained on" in message or "cannot be divided" in message
        else:
            assert scores.keys() >= {"loss", "skill"}
