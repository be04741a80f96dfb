"""Files with other bytes, and the messages of the readers that reject them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kelly.runtime.errors import KellyError


def splice(path: Path, start: int, stop: int, inserted: bytes) -> Path:
    """Replace the bytes `start`..`stop` of a file."""
    data = path.read_bytes()
    path.write_bytes(data[:start] + inserted + data[stop:])
    return path


def rejection(reader: Callable[[Path], object], path: Path) -> str:
    """The error message, which must name the file."""
    with pytest.raises(KellyError) as caught:
        reader(path)
    assert str(path) in str(caught.value)
    return str(caught.value)
