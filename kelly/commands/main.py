"""The `kelly` command: one subcommand per module of this package."""

import argparse
from types import ModuleType
from typing import NoReturn

from kelly.commands import audition, check, compare, crossval, ensemble, inspect, render, repro, results, search
from kelly.runtime import console

COMMANDS: tuple[ModuleType, ...] = (
    repro, check, results, inspect, compare, search, crossval, ensemble, audition, render,
)  # fmt: skip


def main() -> NoReturn:
    """Run the command line and exit."""
    console.run(run)


def run() -> None:
    """Run the command that the command line names; the docstring of its module is its help."""
    parser = argparse.ArgumentParser(prog="kelly", description="Beside dvc repro: what is not a stage of the pipeline.")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        text = (command.__doc__ or "").strip().rstrip(".")
        own = subparsers.add_parser(command.__name__.rpartition(".")[2], help=text.partition("\n")[0], description=text)
        command.add_arguments(own)
        own.set_defaults(run=command.run)
    args = parser.parse_args()
    args.run(args)
