"""Run a `kelly` command in this process."""

import argparse
from types import ModuleType


def run_command(command: ModuleType, *arguments: object) -> None:
    """Parse the arguments of a module of kelly.commands and run it; KellyError is not caught."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    command.run(parser.parse_args([str(argument) for argument in arguments]))
