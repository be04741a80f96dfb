"""Train an ensemble of one network, and average or distil it into a single network."""

import argparse
from pathlib import Path

from kelly.runtime.console import folder
from kelly.tasks import TASKS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--model", required=True, type=str.lower, choices=TASKS, help="the network")
    parser.add_argument("--members", type=int, default=5, help="number of members (default: %(default)s)")
    parser.add_argument("--by", choices=("seeds", "folds"), default="seeds",
                        help="what the members differ in (default: %(default)s)")  # fmt: skip
    parser.add_argument("--jobs", type=int, help="trainings at a time (default: one per core)")
    parser.add_argument("--output", type=folder, default=Path("experiments/ensemble"), help="default: %(default)s")


def run(args: argparse.Namespace) -> None:
    """Train the members, and export and score what is made from them."""
    from kelly.config.params import load
    from kelly.experiments.ensemble_results import ensemble

    ensemble(load()[args.model], args.members, args.by, args.output, args.jobs)
