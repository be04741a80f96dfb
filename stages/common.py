"""The frame of a stage: its one argument is the network's name, and it works on that network alone."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from kelly.config import params
from kelly.runtime import console
from kelly.runtime.errors import KellyError
from kelly.runtime.locks import lock_models

TRAINED = Path("trained_models")
METRICS = Path("metrics")


def run(work: Callable[[params.TaskConfig], None]) -> NoReturn:
    """Do `work` with the settings of the network that the command line names, and exit as kelly.runtime.console says."""

    def main() -> None:
        with claimed() as s:
            work(s)

    console.run(main)


@contextmanager
def claimed(by_this_process: bool = True) -> Iterator[params.TaskConfig]:
    """The settings of the network that the command line names; no other run may work on it as long as the block lasts.

    by_this_process: false where another process of the same run claims it
    """
    s = settings()
    with lock_models(TRAINED, *([s.task.name] if by_this_process else [])):
        yield s


def settings() -> params.TaskConfig:
    """The settings of the network that the command line names. Raises KellyError where it names none."""
    known = params.load()
    if len(sys.argv) != 2 or sys.argv[1] not in known:
        raise KellyError(f"found the arguments {sys.argv[1:]}, expected one network: {', '.join(known)}")
    return known[sys.argv[1]]
