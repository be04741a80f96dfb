"""A .npy file written piece by piece: arrays larger than memory."""

from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray


class NpyWriter:
    """Writes `path`, an array of num_rows rows, part by part; the first tells type and shape of a row."""

    def __init__(self, path: Path, num_rows: int) -> None:
        self.path, self.num_rows, self.written = path, num_rows, 0
        self._file: BinaryIO | None = None
        self._row: tuple[np.dtype[Any], tuple[int, ...]] | None = None

    def __enter__(self) -> "NpyWriter":
        self._file = self.path.open("wb")
        return self

    def append(self, part: NDArray[Any]) -> None:
        """Write further rows. Raises ValueError where they are not of the type and shape of the first."""
        assert self._file is not None
        row = (part.dtype, part.shape[1:])
        if self._row is None:
            self._row = row
            header = {
                "descr": np.lib.format.dtype_to_descr(part.dtype),
                "fortran_order": False,
                "shape": (self.num_rows, *part.shape[1:]),
            }
            np.lib.format.write_array_header_1_0(self._file, header)
        if row != self._row:
            raise ValueError(f"{self.path.name}: a part of {row}, expected {self._row}")
        if part.size:
            self._file.write(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
        self.written += len(part)

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        assert self._file is not None
        self._file.close()
        if kind is None and self.written != self.num_rows:
            raise ValueError(f"{self.path.name}: {self.written} rows written, expected {self.num_rows}")
