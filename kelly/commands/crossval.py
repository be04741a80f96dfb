"""Cross-validate networks over folds of the pieces that are not test."""

import argparse
from pathlib import Path

from kelly.runtime.console import folder
from kelly.tasks import TASKS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--folds", type=int, default=5, help="number of folds (default: %(default)s)")
    parser.add_argument("--models", nargs="+", type=str.lower, choices=TASKS, default=list(TASKS), help="default: all")
    parser.add_argument("--jobs", type=int, help="trainings at a time (default: one per core)")
    parser.add_argument("--output", type=folder, default=Path("experiments/crossval"), help="default: %(default)s")


def run(args: argparse.Namespace) -> None:
    """Train and score the networks on each fold."""
    from kelly.config.params import load
    from kelly.experiments.crossval import crossval

    crossval([config for name, config in load().items() if name in args.models], args.folds, args.output, args.jobs)
