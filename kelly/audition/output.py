"""Write the files of an audition without overwriting others."""

from pathlib import Path

from kelly.runtime.atomic import replacing
from kelly.runtime.errors import KellyError


def check_overwrite(path: Path, marker: bytes) -> None:
    """Raise KellyError where `path` is a folder, or an existing file without `marker` near its beginning."""
    if path.is_dir():
        raise KellyError(f"{path}: is a folder, expected the name of a file")
    if path.exists():
        with path.open("rb") as file:
            if marker not in file.read(4_096):
                raise KellyError(f"{path} exists and was not written by this command; choose another name")


def write(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)
