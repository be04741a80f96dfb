"""What the stages share: the network that the command line names, its lock, and the folders of the project."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from kelly.config.params import TaskConfig, load
from kelly.runtime import console
from kelly.runtime.errors import KellyError
from kelly.runtime.locks import lock_models

TRAINED = Path("trained_models")
METRICS = Path("metrics")


def run(stage: Callable[[TaskConfig], None]) -> NoReturn:
    """Run a stage for the network that the command line names, and exit as kelly.runtime.console.run does."""

    def main() -> None:
        with locked_config() as config:
            stage(config)

    console.run(main)


@contextmanager
def locked_config(acquire: bool = True) -> Iterator[TaskConfig]:
    """The configuration of the network that the command line names, locked against other runs.

    acquire: False where another process of the same run has the lock
    """
    config = read_config()
    with lock_models(TRAINED, *([config.task.name] if acquire else [])):
        yield config


def read_config() -> TaskConfig:
    """The configuration of the network that the command line names. Raises KellyError where it names none."""
    configs = load()
    if len(sys.argv) != 2 or sys.argv[1] not in configs:
        raise KellyError(f"found the arguments {sys.argv[1:]}, expected one network: {', '.join(configs)}")
    return configs[sys.argv[1]]
