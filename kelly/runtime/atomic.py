"""Files and folders are written completely or not at all: after a crash the earlier version is still there.

Several processes may write the same file at once: each replaces it with a complete version. Of several that write the
same folder, all but one must be kept out: see kelly/runtime/locks.py.
"""

import errno
import itertools
import os
import platform
import re
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

MACHINE = f"{zlib.crc32(platform.node().encode()):08x}"  # a folder may be shared with others
OWNER = re.compile(rf"\.partial-{MACHINE}-(\d+)-\d+")
counter = itertools.count()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success flush it to disk and rename it to `path`, else remove it.

    It keeps the suffix, by which np.save and matplotlib choose the format. Raises OSError naming `path` where it cannot
    be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}{own()}{path.suffix}")
    remove_leftovers(path.parent, path.stem)
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
    partial, former = path.with_name(f".{path.name}{own()}"), path.with_name(f".{path.name}.former")

    def clean_up() -> None:
        if former.exists() and not path.exists():  # stopped between the two renames
            former.rename(path)
        for leftover in (partial, former):
            shutil.rmtree(leftover, ignore_errors=True)

    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent, path.name)
    clean_up()
    partial.mkdir()
    try:
        yield partial
        if path.exists():
            path.rename(former)
        partial.rename(path)
    finally:
        clean_up()


def own() -> str:
    """What a temporary name contains that no other one has: machine, process, a number."""
    return f".partial-{MACHINE}-{os.getpid()}-{next(counter)}"


def remove_leftovers(folder: Path, stem: str) -> None:
    """Remove the temporary files and folders that processes of this machine left when they were killed."""
    with os.scandir(folder) as entries:
        found = [entry for entry in entries if entry.name.startswith(f".{stem}.partial-")]
    for entry in found:
        owner = OWNER.match(entry.name, len(stem) + 1)
        if owner and not psutil.pid_exists(int(owner.group(1))):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                Path(entry.path).unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, completely or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
