"""Extraction from many files: the same result after any interruption, and nothing damaged, stale or duplicated."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from numpy.typing import NDArray
from support.fake_pieces import (
    MELODY,
    NAMES,
    FakeFolder,
    contents,
    extract_fake,
    folder_of_songs,
    melody,
    pieces_table,
    song,
)
from support.played import write

from kelly.data.dataset import Dataset
from kelly.runtime.errors import KellyError
from kelly.sources.extraction import jobs, shards
from kelly.sources.extraction.duplicates import same_works
from kelly.sources.extraction.jobs import ExtractionJob
from kelly.sources.generate import is_outdated
from kelly.sources.layouts.manifest import Entry
from kelly.sources.skipped import NotApplicableError
from kelly.tasks import TASKS


@pytest.mark.parametrize("stop_at", [0, 3, 6])
def test_an_interrupted_run_resumes(tmp_path: Path, stop_at: int) -> None:
    folder = FakeFolder(tmp_path, *NAMES)
    uninterrupted = folder.save("uninterrupted")
    assert folder.extracted() == NAMES
    for file in (tmp_path / "workspace").iterdir():
        file.unlink()
    (tmp_path / "stop").write_text(NAMES[stop_at])
    with pytest.raises(KeyboardInterrupt):
        folder.save()
    assert folder.extracted() == NAMES[:stop_at]
    (tmp_path / "stop").unlink()
    assert folder.save() == uninterrupted
    assert folder.extracted() == NAMES[stop_at - stop_at % 2 :]
    assert contents(tmp_path / "data") == contents(tmp_path / "uninterrupted")


def test_an_interrupted_generate_keeps_the_previous_data_and_the_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, to = folder_of_songs(tmp_path / "songs"), tmp_path / "data"
    melody(path, to)
    previous = contents(to)
    write(path / "7.mid", {"Piano": song(7)})

    with monkeypatch.context() as patch:
        patch.setattr("kelly.sources.extraction.folder_dataset.same_works", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            melody(path, to)
    assert contents(to) == previous
    workspace = tmp_path / ".data.partial-files"
    assert len(list(workspace.glob("*.npz"))) == 4
    melody(path, to)
    assert len(pieces_table(to)) == 8
    assert not workspace.exists()


@pytest.mark.parametrize("name", ["0.mid", "new.mid"])
def test_data_is_discarded_if_a_file_changed_while_others_were_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path, to = folder_of_songs(tmp_path / "songs"), tmp_path / "data"
    settings = MELODY | {"path": str(path)}
    before = melody(path, to)

    def change_a_file(signatures: Any, names: Any) -> NDArray[np.intp]:
        write(path / name, {"Piano": song(99)})
        return same_works(signatures, names)

    with monkeypatch.context() as patch:
        patch.setattr("kelly.sources.extraction.folder_dataset.same_works", change_a_file)
        with pytest.raises(KellyError, match="while they were read"):
            melody(path, to)
    assert np.array_equal(Dataset.load(to).sequences.inputs, before.sequences.inputs)
    assert is_outdated(TASKS["melodytransformer"], "midi", settings, to)


@pytest.mark.parametrize(
    "change", ["nothing", "content", "time", "settings", "code", "function", "ratings", "another file"]
)
def test_files_are_extracted_again_if_anything_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    ratings = np.zeros((2, 2_000))
    for name in NAMES:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"music")
    folder = FakeFolder(tmp_path, *NAMES)

    def run(folder: FakeFolder, ratings: NDArray[np.float64]) -> None:
        entries = [Entry(e.name, e.path, ratings=ratings) for e in folder.entries]
        job = ExtractionJob(entries, extract_fake, folder.job.settings)
        assert len(jobs.run(job, tmp_path / "workspace", "fake")) == -(-len(entries) // 2)

    run(folder, ratings)
    assert folder.extracted() == NAMES
    expected = NAMES
    match change:
        case "nothing":
            ratings, expected = ratings.copy(), []
        case "content":
            (tmp_path / NAMES[3]).write_bytes(b"other music")
        case "time":
            os.utime(tmp_path / NAMES[3], (1, 1))
        case "settings":
            folder = FakeFolder(tmp_path, *NAMES, num_rows=2)
        case "code":
            monkeypatch.setattr(jobs, "_code_fingerprint", lambda: "changed")
        case "function":
            monkeypatch.setattr(extract_fake, "__name__", "other")
        case "ratings":
            ratings[1, 1_000] = 0.5  # where NumPy prints dots
        case _:
            expected = [*NAMES, "h/0"]
            folder = FakeFolder(tmp_path, *expected)
    run(folder, ratings)
    assert folder.extracted() == expected


def damages(content: bytes) -> Iterator[bytes]:
    """The file truncated, and with one bit changed, in many places."""
    rng = np.random.default_rng(0)
    for length in [0, 1, 100, len(content) - 1, *rng.integers(0, len(content), 20).tolist()]:
        yield content[:length]
    for at in range(0, len(content), 7):
        yield content[:at] + bytes([content[at] ^ 1 << int(rng.integers(8))]) + content[at + 1 :]
    yield content + b"\0"


def test_a_damaged_shard_is_extracted_again(tmp_path: Path) -> None:
    folder = FakeFolder(tmp_path, *NAMES[:4])
    folder.save()
    folder.extracted()
    path = tmp_path / "workspace/00001.npz"
    content, expected = path.read_bytes(), contents(tmp_path / "data")
    assert shards.is_intact(path)
    for damaged in damages(content):
        path.write_bytes(damaged)
        assert not shards.is_intact(path)
    folder.save()
    assert folder.extracted() == NAMES[2:4]
    assert contents(tmp_path / "data") == expected


def test_a_shard_that_is_damaged_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    (shard,) = jobs.run(FakeFolder(tmp_path, *NAMES[:2]).job, tmp_path / "workspace", "fake")
    content = bytearray(shard.path.read_bytes())
    at = content.index(shard["rows_inputs"].tobytes())
    content[at + 5] ^= 4
    shard.path.write_bytes(content)
    with pytest.raises(KellyError, match=r"00000\.npz: delete the folder .*workspace.*damaged \(Bad CRC-32"):
        shard["rows_inputs"]
    shard.path.unlink()
    with pytest.raises(KellyError, match="damaged"):
        shard["rows_inputs"]


def test_a_shard_contains_the_examples_and_the_reasons(tmp_path: Path) -> None:
    entries = [Entry(name, tmp_path / name) for name in ("a/0", "broken/0", "drumless/0")]
    file = extract_fake(entries[0], str(tmp_path / "log"))
    outcomes: list[Any] = [file, KellyError(f"{entries[1].path}: damaged"), NotApplicableError("no drums")]
    shards.write(tmp_path / "0.npz", entries, outcomes)
    shard = shards.Shard(tmp_path / "0.npz")
    assert shard["outcome"].tolist() == [shards.USED, shards.UNUSABLE, shards.NOT_APPLICABLE]
    assert shard["reason"].tolist() == ["", "damaged", "no drums"]
    assert shard["num_rows"].tolist() == [3, 0, 0]
    assert sorted(shard.arrays) == ["inputs", "mask", "targets"]
    for name, array in file.examples.items():
        np.testing.assert_array_equal(shard[f"rows_{name}"], array)
    np.testing.assert_array_equal(shard["signature"][0], file.signature)
    assert not shard["signature"][1:].any()
