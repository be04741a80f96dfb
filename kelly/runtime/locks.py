"""Locks: one run at a time per network and output folder; a second one stops before it writes anything.

Beside them a lock for work of a moment, for which a second process waits.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from kelly.runtime.errors import KellyError


class ModelLock:
    """The lock on one network's files below a folder; the operating system releases it with the process.

    Within a process it may be acquired again: it is released with the first acquisition.
    """

    def __init__(self, folder: Path, model: str) -> None:
        self.folder, self.model = folder, model
        self.path = folder / ".locks" / f"{model}.lock"
        self.lock = FileLock(self.path, timeout=0, is_singleton=True)

    def acquire(self) -> None:
        """Acquire, or raise KellyError where another process has the lock."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.lock.acquire()
        except Timeout:
            raise KellyError(
                f"another run is writing {self.model} to {self.folder} (it has locked {self.path}); "
                "wait for it, stop it, or choose another folder"
            ) from None
        self.inode = self.path.stat().st_ino

    def renew(self) -> None:
        """Acquire again where the folder was removed since; raises KellyError where another run has begun there."""
        if self.path.exists() and self.path.stat().st_ino == self.inode:
            return
        self.lock.release(force=True)
        self.acquire()
        print(f"{self.folder} was removed while this run was writing to it; everything is written again", flush=True)


@contextmanager
def lock_models(folder: Path, *models: str) -> Iterator[list[ModelLock]]:
    """Lock the files of `models` below `folder` for the duration of the block.

    Raises KellyError where another process has locked one of them.
    """
    locks = [ModelLock(folder, model) for model in models]
    try:
        for lock in locks:
            lock.acquire()
        yield locks
    finally:
        for lock in locks:
            lock.lock.release()


def waiting_lock(path: Path) -> FileLock:
    """A lock on a file or folder that is to be written; whoever comes second waits."""
    folder = path.parent / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f"{path.name}.lock")
