"""The data set of a folder: which files are used, which rows are theirs, and arrays larger than memory."""

import os
import subprocess
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from support.fake_pieces import FakeFolder, extract_fake, folder_of_songs, groups, melody, pieces_table

from kelly.runtime.errors import KellyError
from kelly.sources.extraction.folder_dataset import save_in_parts


def test_too_many_broken_files_are_an_error_with_their_reasons(tmp_path: Path) -> None:
    names = ["a/0", "b/0", "broken/0", "broken/1", "drumless/0"]
    facts = FakeFolder(tmp_path, *names, max_skipped_share=0.4).save()
    assert facts["skipped"] == [{"file": f"broken/{i}", "reason": "damaged"} for i in (0, 1)]
    assert facts["not_applicable"] == [{"file": "drumless/0", "reason": "no drums"}]
    assert (facts["files"], facts["pieces"], facts["num_not_applicable"]) == (5, 2, 1)
    with pytest.raises(KellyError, match=r"2 of 5 files(.|\n)*broken/0: damaged\n  broken/1: damaged"):
        FakeFolder(tmp_path, *names, max_skipped_share=0.39).save()
    with pytest.raises(KellyError, match=r"nothing to learn from in 2 files:\n  2 files: no drums"):
        FakeFolder(tmp_path, "drumless/0", "drumless/1").save()


def test_the_table_of_pieces_has_the_rows_of_each_file(tmp_path: Path) -> None:
    names = ['a/0/"quoted", with a comma', "broken/0", "b/0/Ünïcode", "c/0"]
    folder = FakeFolder(tmp_path, *names, num_rows=5)
    folder.save()
    inputs = np.load(tmp_path / "data/inputs.npy")
    pieces = pieces_table(tmp_path / "data")
    assert [piece["file"] for piece in pieces] == [names[0], names[2], names[3]]
    for piece, entry in zip(pieces, (folder.entries[i] for i in (0, 2, 3)), strict=True):
        rows = slice(int(piece["first_row"]), int(piece["first_row"]) + int(piece["num_rows"]))
        expected = extract_fake(entry, str(folder.log), num_rows=5).examples
        np.testing.assert_array_equal(inputs[rows], expected["inputs"])
        assert set(np.load(tmp_path / "data/groups.npy")[rows].tolist()) == {piece["group"]}
    assert sum(int(piece["num_rows"]) for piece in pieces) == len(inputs) == 15


def test_files_are_limited_evenly_over_the_folder(tmp_path: Path) -> None:
    path = folder_of_songs(tmp_path / "songs", 9)
    facts = melody(path, tmp_path / "data", max_files=5, max_windows_per_piece=2).facts
    assert list(groups(tmp_path / "data")) == [f"{i}.mid" for i in (0, 2, 4, 6, 8)]
    assert {piece["num_rows"] for piece in pieces_table(tmp_path / "data")} == {"2"}
    assert (facts["pieces"], facts["sequences"]) == (5, 10)


@pytest.mark.parametrize("dtype", ["<f4", "?", "<U5"])
@pytest.mark.parametrize("sizes", [[3], [0], [2, 0, 4], [0, 1]])
def test_an_array_saved_in_parts_equals_the_parts(tmp_path: Path, dtype: str, sizes: list[int]) -> None:
    rng = np.random.default_rng(0)
    parts = [rng.integers(0, 2, (size, 2, 3)).astype(dtype) for size in sizes]
    save_in_parts(tmp_path / "parts.npy", sum(sizes), iter(parts))
    saved = np.load(tmp_path / "parts.npy")
    np.testing.assert_array_equal(saved, np.concatenate(parts), strict=True)
    if sum(sizes):
        np.save(tmp_path / "whole.npy", np.concatenate(parts))
        assert (tmp_path / "parts.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the file system cannot reserve space here")
def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        with pytest.raises(OSError, match="No space left"):
            save_in_parts(tmp_path / "a.npy", 2_000, iter([np.ones((1_000, 200))] * 2))
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_memory_does_not_grow_with_the_number_of_files(tmp_path: Path) -> None:
    folder = FakeFolder(tmp_path, *(f"{i}/0" for i in range(100)), num_rows=50, width=500)
    tracemalloc.start()
    try:
        folder.save()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(file.stat().st_size for file in (tmp_path / "data").iterdir()) > 22e6
    assert peak < 6e6  # fifty shards
