"""Data on disk: written completely, identified by its settings, checked before a network trains on it."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.fake_pieces import contents

from kelly.data.dataset import Dataset, Sequences, read_metadata
from kelly.runtime.errors import KellyError
from kelly.sources.generate import check, generate, is_current
from kelly.sources.registry import SOURCES
from kelly.sources.source import GeneratedSource
from kelly.tasks import TASKS

TASK = TASKS["melodytransformer"]
SETTINGS = {"num_sequences": 60, "num_frames": 3, "seed": 5}


def write(data: Dataset, folder: Path) -> None:
    """Write `data` as that of a source."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SOURCES[TASK.name], "fake", GeneratedSource(lambda: data))
        generate(TASK, "fake", {}, folder)


def sequences(**changes: Any) -> Sequences:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        "inputs": rng.uniform(-1, 1, (4, 3, 64)).astype(np.float32),
        "targets": (rng.random((4, 3, 128)) < 0.2).astype(np.float32),
        "groups": np.array(list("aabb")),
    }
    return Sequences(**(arrays | changes))


def test_a_data_set_survives_the_disk(tmp_path: Path) -> None:
    saved = Dataset(sequences(category=np.array(list("mmdd"))), sequences(), {"unit": "bar"})
    write(saved, tmp_path)
    loaded = Dataset.load(tmp_path)
    np.testing.assert_array_equal(loaded.sequences.inputs, saved.sequences.inputs)
    assert loaded.sequences.category is not None
    assert loaded.sequences.mask is None
    assert loaded.stream is not None
    assert loaded.facts == {"unit": "bar"}
    metadata = read_metadata(tmp_path)
    assert [metadata[name] for name in ("num_sequences", "num_frames", "num_pieces")] == [4, 3, 2]
    assert [metadata[name] for name in ("model", "source", "settings")] == [TASK.name, "fake", {}]


def test_a_new_data_set_replaces_the_previous_one_completely(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write(Dataset(sequences(oracle=sequences().targets), sequences()), folder)
    write(Dataset(sequences()), folder)
    assert Dataset.load(folder).sequences.oracle is None
    assert Dataset.load(folder).stream is None
    assert [path.name for path in tmp_path.iterdir() if path.name != ".locks"] == ["data"]


def test_the_hash_is_that_of_the_arrays(tmp_path: Path) -> None:
    hashes = []
    for name, inputs in (("a", 0.0), ("b", 0.0), ("c", 0.5)):
        write(Dataset(sequences(inputs=sequences().inputs.clip(min=inputs))), tmp_path / name)
        hashes.append(read_metadata(tmp_path / name)["sha256"])
    assert hashes[0] == hashes[1] != hashes[2]


def test_data_is_reproducible_and_identified_by_its_source_and_settings(tmp_path: Path) -> None:
    assert not is_current(TASK, "synthetic", SETTINGS, tmp_path)
    generate(TASK, "synthetic", SETTINGS, tmp_path)
    assert is_current(TASK, "synthetic", SETTINGS, tmp_path)
    content = contents(tmp_path)
    generate(TASK, "synthetic", SETTINGS, tmp_path)
    assert contents(tmp_path) == content
    assert not is_current(TASK, "synthetic", SETTINGS | {"seed": 6}, tmp_path)
    assert not is_current(TASK, "corpus", SETTINGS, tmp_path)
    assert not is_current(TASKS["groovepredictor"], "synthetic", SETTINGS, tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": np.zeros((4, 3, 63), np.float32)}, "inputs (4, 3, 63)"),
        ({"targets": np.zeros((4, 2, 128), np.float32)}, "targets (4, 2, 128)"),
        ({"inputs": np.full((4, 3, 64), np.nan, np.float32)}, "inputs are not all finite"),
        ({"targets": np.ones((4, 3, 128), np.float32)}, "all targets are 1.0"),
        ({"mask": np.ones((4, 3), bool)}, "mask (4, 3)"),
        ({"inputs": np.zeros((0, 3, 64), np.float32), "targets": np.zeros((0, 3, 128), np.float32)}, "no sequences"),
    ],
)
def test_data_without_anything_to_learn_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(KellyError, match=re.escape(message)):
        check(TASK, sequences(**changes))


def test_a_chord_outside_the_vocabulary_is_refused() -> None:
    inputs, targets = np.random.default_rng(0).random((4, 1, 128), np.float32), np.array([[0], [1], [2], [64]])
    with pytest.raises(KellyError, match=r"classes 0\.\.64, expected 0\.\.63"):
        check(TASKS["harmonypredictor"], Sequences(inputs, targets, np.array(list("abcd"))))


def test_errors_name_missing_broken_and_pickled_files(tmp_path: Path) -> None:
    with pytest.raises(KellyError, match=r"inputs\.npy"):
        Dataset.load(tmp_path)
    write(Dataset(sequences()), tmp_path)
    (tmp_path / "targets.npy").write_bytes(b"\x93NUMPY broken")
    with pytest.raises(KellyError, match=r"targets\.npy"):
        Dataset.load(tmp_path)
    np.save(tmp_path / "targets.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(KellyError, match=r"targets\.npy"):
        Dataset.load(tmp_path)
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(KellyError, match=r"dataset\.json"):
        read_metadata(tmp_path)
