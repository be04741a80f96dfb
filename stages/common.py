"""What the stages share: the network that the command line names, its lock, and the folders of the project."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import stages
from kelly.config.params import TaskConfig, load
from kelly.config.stage_inputs import StageInputs
from kelly.runtime import console
from kelly.runtime.errors import KellyError
from kelly.runtime.locks import lock_models

TRAINED = Path("trained_models")
METRICS = Path("metrics")


def run(name: str, stage: Callable[[TaskConfig], None]) -> NoReturn:
    """Run a stage for the network that the command line names, and exit as kelly.runtime.console.run does.

    name: of the stage in dvc.yaml
    """

    def main() -> None:
        with locked_config(name) as (config, _):
            stage(config)

    console.run(main)


@contextmanager
def locked_config(name: str, acquire: bool = True) -> Iterator[tuple[TaskConfig, StageInputs]]:
    """The configuration of the network that the command line names, locked against other runs; the stage's inputs.

    acquire: False where another process of the same run has the lock
    Raises KellyError at the end of the block where settings, code or data changed in it.
    """
    config = read_config()
    with lock_models(TRAINED, *([config.task.name] if acquire else [])):
        inputs = StageInputs(stages.STARTED_WITH, name, config.task.name)
        yield config, inputs
        if acquire:
            inputs.check()
            inputs.write_record()


def read_config() -> TaskConfig:
    """The configuration of the network that the command line names. Raises KellyError where it names none."""
    configs = load()
    if len(sys.argv) != 2 or sys.argv[1] not in configs:
        raise KellyError(f"found the arguments {sys.argv[1:]}, expected one network: {', '.join(configs)}")
    return configs[sys.argv[1]]
