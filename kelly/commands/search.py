"""Search for training settings with a lower validation loss."""

import argparse
from pathlib import Path

from kelly.runtime.console import folder
from kelly.tasks import TASKS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--model", required=True, type=str.lower, choices=TASKS, help="the network")
    parser.add_argument("--trials", type=int, default=30, help="number of trials (default: %(default)s)")
    parser.add_argument(
        "--sampler", choices=("tpe", "random"), default="tpe", help="Optuna sampler (default: %(default)s)"
    )
    parser.add_argument(
        "--jobs", type=int, help="trials at a time (default: one per core); with 1 a seed gives the same ones"
    )
    parser.add_argument("--no-pruning", action="store_true", help="train every trial to its end")
    parser.add_argument("--write", action="store_true", help="write the best settings to params.yaml")
    parser.add_argument(
        "--storage", metavar="URL", help="Optuna database for several machines (default: an SQLite file)"
    )
    parser.add_argument("--output", type=folder, default=Path("experiments/search"), help="default: %(default)s")


def run(args: argparse.Namespace) -> None:
    """Search the settings of one network."""
    from kelly.config.params import load
    from kelly.experiments.search_results import search

    search(
        load()[args.model], args.trials, args.output, sampler=args.sampler, num_jobs=args.jobs,
        prune=not args.no_pruning, storage=args.storage, write=args.write,
    )  # fmt: skip
