"""One run at a time for each network of an output folder: a second one says so and stops before it writes anything."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from kelly.runtime.errors import KellyError


class ModelLock:
    """The right to write one network's files below a folder; the operating system ends it with the process.

    Within a process a claim may be made again: it ends when the first one does.
    """

    def __init__(self, folder: Path, model: str) -> None:
        self.folder, self.model = folder, model
        self.path = folder / ".locks" / f"{model}.lock"
        self.lock = FileLock(self.path, timeout=0, is_singleton=True)

    def take(self) -> None:
        """Claim, or raise KellyError where another process has."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.lock.acquire()
        except Timeout:
            raise KellyError(
                f"another run is writing {self.model} to {self.folder} (it holds {self.path}); "
                "wait for it, stop it, or choose another folder"
            ) from None
        self.inode = self.path.stat().st_ino

    def renew(self) -> None:
        """Claim again where the folder was removed meanwhile; raise KellyError where another run has begun there."""
        if self.path.exists() and self.path.stat().st_ino == self.inode:
            return
        self.lock.release(force=True)
        self.take()
        print(f"{self.folder} was removed while this run was writing to it; all is written again", flush=True)


@contextmanager
def lock_models(folder: Path, *models: str) -> Iterator[list[ModelLock]]:
    """Keep other runs off the files of `models` below `folder` as long as the block lasts.

    Raises KellyError where another process works on one of them.
    """
    claims = [ModelLock(folder, model) for model in models]
    try:
        for one in claims:
            one.take()
        yield claims
    finally:
        for one in claims:
            one.lock.release()
