"""Files and folders are written completely or not at all: after a crash the earlier version is still there.

Any number of processes and threads may write the same target: each replaces it as a whole, and the last one wins. Where
only one may work at all, see kelly/runtime/locks.py. What a killed process left is removed by the next that writes the
same target.
"""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kelly.runtime.locks import waiting_lock

if os.name == "posix":
    import fcntl


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success flush it to disk and rename it to `path`, else remove it.

    It keeps the suffix, by which np.save and matplotlib choose the format. Raises OSError naming `path` where it cannot
    be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(path)
    temporary = path.with_name(f"{prefix(path)}{secrets.token_hex(4)}{path.suffix}")
    try:
        with created(temporary):
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


def prefix(path: Path) -> str:
    """What the names of all temporary files of `path` begin with; .gitignore ignores them."""
    return f".{path.stem}.partial-"


if os.name == "posix":

    @contextmanager
    def created(temporary: Path) -> Iterator[None]:
        """Create a file that others can see to be in use: locked until the block, or this process, ends."""
        while True:
            with temporary.open("xb") as file:
                with suppress(OSError):  # a file system without locks, where `remove_abandoned` cannot lock it either
                    fcntl.flock(file, fcntl.LOCK_EX)
                if temporary.exists():  # another writer may have seen it before it was locked
                    yield
                    return

    def remove_abandoned(path: Path) -> None:
        """Remove the temporary files of processes that were killed while they wrote `path`."""
        for temporary in path.parent.iterdir():
            if not (temporary.name.startswith(prefix(path)) and temporary.suffix == path.suffix):
                continue
            # Locked: of a living writer. Or it has just been renamed or removed, or belongs to another user.
            with suppress(OSError), temporary.open("rb+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                temporary.unlink()

else:

    @contextmanager
    def created(temporary: Path) -> Iterator[None]:
        """Windows renames no open file: nothing shows whether one is in use, and abandoned ones stay."""
        temporary.touch(exist_ok=False)
        yield

    def remove_abandoned(path: Path) -> None:
        """See `created`."""


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it replaces `path`, else it is removed.

    The earlier folder is kept until the new one is complete. Writers of one folder wait for each other. A reader can
    find it missing for a moment, and what it has begun to read can be removed.
    """
    partial, former = (path.with_name(f".{path.name}.{suffix}") for suffix in ("partial", "former"))

    def clean_up() -> None:
        if former.exists() and not path.exists():  # stopped between the two renames
            former.rename(path)
        for leftover in (partial, former):
            shutil.rmtree(leftover, ignore_errors=True)

    with waiting_lock(path):
        clean_up()
        partial.mkdir()
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
