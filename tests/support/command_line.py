"""Run a command line in this process."""

import argparse
import sys
from pathlib import Path
from types import ModuleType

import pytest

from kelly.commands import evaluate_all, train_all


def run_command(command: ModuleType, *arguments: object) -> None:
    """Parse the arguments of a module of kelly.commands and run it; KellyError is not caught."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    command.run(parser.parse_args([str(argument) for argument in arguments]))


def run_script(script: str, *options: str) -> None:
    """Run a script of the project in the current folder; KellyError is not caught."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [script, *options])
        if script == "train_all_models.py":
            train_all.main(Path("params.yaml"))
        else:
            evaluate_all.main()
