"""Files and folders are written completely or not at all: after a crash the earlier version is still there.

A killed process can leave a temporary file with a fixed hidden name beside its target, which the next attempt removes.
Two processes must not write the same target at once: see kelly/runtime/locks.py.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success flush it to disk and rename it to `path`, else remove it.

    It keeps the suffix, by which np.save and matplotlib choose the format. Raises OSError naming `path` where it cannot
    be written.
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
        # A full disk names no file, and NumPy reports only how much it could not write.
        reason = error.strerror or f"{error}: is the disk full?"
        raise OSError(error.errno or errno.EIO, reason, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it replaces `path`, else it is removed.

    The earlier folder is kept until the new one is complete.
    """
    partial, former = (path.with_name(f".{path.name}.{suffix}") for suffix in ("partial", "former"))

    def clean_up() -> None:
        if former.exists() and not path.exists():  # stopped between the two renames
            former.rename(path)
        for leftover in (partial, former):
            shutil.rmtree(leftover, ignore_errors=True)

    clean_up()
    partial.mkdir(parents=True)
    try:
        yield partial
        if path.exists():
            path.rename(former)
        partial.rename(path)
    finally:
        clean_up()


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, completely or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
