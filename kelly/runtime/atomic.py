"""Files and folders that are written whole or not at all: a crash leaves the former version, never half of the new one.

What a killed process leaves behind has one fixed hidden name beside its target, so that the next attempt clears it
away. Two processes must not write the same target at once: see kelly/runtime/locks.py.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; on success flush it to disk and rename it into place, else remove it.

    The temporary name keeps the suffix, since np.save and matplotlib choose their format by it. Raises OSError naming
    `path` where it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.filename is not None and Path(os.fsdecode(error.filename)) != temporary:
            raise
        # A full disk names no file, and NumPy not even the error: it counts what it could not write.
        reason = error.strerror or f"{error}: is the disk full?"
        raise OSError(error.errno or errno.EIO, reason, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it takes the place of `path`, else it is removed.

    The former folder is kept until the new one is whole.
    """
    fresh, former = (path.with_name(f".{path.name}.{word}") for word in ("partial", "former"))

    def clear_away() -> None:
        if former.exists() and not path.exists():  # stopped between the two renames
            former.rename(path)
        for left_behind in (fresh, former):
            shutil.rmtree(left_behind, ignore_errors=True)

    clear_away()
    fresh.mkdir(parents=True)
    try:
        yield fresh
        if path.exists():
            path.rename(former)
        fresh.rename(path)
    finally:
        clear_away()


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
