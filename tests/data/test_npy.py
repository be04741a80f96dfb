"""Arrays that are written part by part."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from numpy.typing import NDArray

from kelly.sources.extraction.npy import NpyWriter

dtypes = st.sampled_from(["<f4", "<f8", "<i8", "?", "<U5", "<u4", "S3"])


@settings(max_examples=200)
@given(st.data(), dtypes, st.lists(st.integers(0, 4), max_size=2).map(tuple), st.lists(st.integers(0, 5), min_size=1))
def test_an_array_written_part_by_part_is_the_file_that_numpy_writes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, dtype: str, row: tuple[int, ...], sizes: list[int]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    parts = [data.draw(arrays_of.arrays(np.dtype(dtype), (size, *row))) for size in sizes]
    np.save(folder / "whole.npy", np.concatenate(parts))
    with NpyWriter(folder / "parts.npy", sum(sizes)) as out:
        for part in parts:
            out.append(part if data.draw(st.booleans()) else np.asfortranarray(part))
    assert (folder / "parts.npy").read_bytes() == (folder / "whole.npy").read_bytes()


def append(path: Path, *parts: NDArray[Any]) -> None:
    with NpyWriter(path, 4) as out:
        for part in parts:
            out.append(part)


def test_an_array_whose_parts_do_not_fit_is_refused(tmp_path: Path) -> None:
    first = np.zeros((2, 3), np.float32)
    for wrong in (np.zeros((2, 4), np.float32), np.zeros((2, 3)), np.zeros((2, 3, 1), np.float32)):
        with pytest.raises(ValueError, match="a part of"):
            append(tmp_path / "a.npy", first, wrong)
    with pytest.raises(ValueError, match="2 rows written, expected 4"):
        append(tmp_path / "a.npy", first)
