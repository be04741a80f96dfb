"""Data on disk: written whole, recognised by its settings, checked before anything learns from it."""

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from kelly.data.dataset import Dataset, Sequences, read_metadata
from kelly.runtime.errors import KellyError
from kelly.sources.generate import check, generate, is_current
from kelly.sources.registry import SOURCES
from kelly.sources.source import GeneratedSource
from kelly.tasks import TASKS

TASK = TASKS["melodytransformer"]
SETTINGS = {"num_sequences": 60, "num_frames": 3, "seed": 5}
MADE: dict[str, Dataset] = {}


def made(name: str) -> Dataset:
    """A source of data: what a test put into MADE."""
    return MADE[name]


def write(data: Dataset, folder: Path) -> None:
    MADE[folder.name] = data
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SOURCES[TASK.name], "made", GeneratedSource(made))
        generate(TASK, "made", {"name": folder.name}, folder)


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
    about = read_metadata(tmp_path)
    assert (about["num_sequences"], about["num_frames"], about["num_pieces"]) == (4, 3, 2)


def test_a_new_data_set_leaves_nothing_of_the_former_one(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write(Dataset(sequences(oracle=sequences().targets), sequences()), folder)
    write(Dataset(sequences()), folder)
    assert Dataset.load(folder).sequences.oracle is None
    assert Dataset.load(folder).stream is None
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_the_hash_tells_data_apart(tmp_path: Path) -> None:
    hashes = []
    for name, inputs in (("a", 0.0), ("b", 0.0), ("c", 0.5)):
        write(Dataset(sequences(inputs=sequences().inputs.clip(min=inputs))), tmp_path / name)
        hashes.append(read_metadata(tmp_path / name)["sha256"])
    assert hashes[0] == hashes[1] != hashes[2]


def test_data_is_recognised_by_its_source_and_settings(tmp_path: Path) -> None:
    assert not is_current(TASK, "synthetic", SETTINGS, tmp_path)
    generate(TASK, "synthetic", SETTINGS, tmp_path)
    assert is_current(TASK, "synthetic", SETTINGS, tmp_path)
    assert not is_current(TASK, "synthetic", SETTINGS | {"seed": 6}, tmp_path)
    assert not is_current(TASK, "corpus", SETTINGS, tmp_path)
    assert not is_current(TASKS["groovepredictor"], "synthetic", SETTINGS, tmp_path)


def test_the_same_settings_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        generate(TASK, "synthetic", SETTINGS, tmp_path / name)
    for path in (tmp_path / "a").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes(), path


def nan_at(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flat[7] = np.nan
    return array


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": np.zeros((4, 3, 63), np.float32)}, "inputs (4, 3, 63)"),
        ({"targets": np.zeros((4, 2, 128), np.float32)}, "targets (4, 2, 128)"),
        ({"inputs": nan_at(sequences().inputs)}, "inputs hold values that are not finite"),
        ({"targets": np.ones((4, 3, 128), np.float32)}, "all targets are 1.0; there is nothing to learn"),
        ({"mask": np.ones((4, 3), bool)}, "mask (4, 3)"),
        ({"inputs": np.zeros((0, 3, 64), np.float32), "targets": np.zeros((0, 3, 128), np.float32)}, "no sequences"),
    ],
)
def test_data_that_teaches_nothing_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(KellyError) as error:
        check(TASK, sequences(**changes))
    assert message in str(error.value)


def test_a_chord_outside_the_vocabulary_is_refused() -> None:
    inputs, targets = np.random.default_rng(0).random((4, 1, 128), np.float32), np.array([[0], [1], [2], [64]])
    with pytest.raises(KellyError, match=r"classes 0\.\.64, expected 0\.\.63"):
        check(TASKS["harmonypredictor"], Sequences(inputs, targets, np.array(list("abcd"))))


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(KellyError, match=r"inputs\.npy is missing"):
        Dataset.load(tmp_path)
    write(Dataset(sequences()), tmp_path)
    (tmp_path / "targets.npy").write_bytes(b"\x93NUMPY broken")
    with pytest.raises(KellyError, match=r"targets\.npy is not a readable \.npy array"):
        Dataset.load(tmp_path)
    (tmp_path / "targets.npy").unlink()
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(KellyError, match=r"dataset\.json is not JSON"):
        read_metadata(tmp_path)


def test_pickled_arrays_are_not_read(tmp_path: Path) -> None:
    write(Dataset(sequences()), tmp_path)
    np.save(tmp_path / "groups.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(KellyError, match=r"groups\.npy is not a readable"):
        Dataset.load(tmp_path)


def test_about_says_where_the_data_comes_from(tmp_path: Path) -> None:
    generate(TASK, "synthetic", SETTINGS, tmp_path)
    about = orjson.loads((tmp_path / "dataset.json").read_bytes())
    assert (about["model"], about["source"], about["settings"]) == ("melodytransformer", "synthetic", SETTINGS)
