"""Compare the networks of revisions: settings, scores, and whether the difference is significant."""

import argparse
from pathlib import Path

from kelly.runtime.console import check_png
from kelly.tasks import TASKS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("revisions", nargs="+", metavar="REV",
                        help="git revisions, DVC experiments or workspace; the first is the reference, and a single "
                        "one is compared with the workspace")  # fmt: skip
    parser.add_argument("--models", nargs="+", type=str.lower, choices=TASKS, help="default: those that differ")
    parser.add_argument("--plot", "--picture", dest="plot", type=Path, default=Path("comparison.png"),
                        help="plot of the losses (default: %(default)s)")  # fmt: skip


def run(args: argparse.Namespace) -> None:
    """Compare the revisions. Raises KellyError before anything is read where the plot is not a PNG."""
    check_png("--plot", args.plot)
    from kelly.experiments.compare import compare

    compare(args.revisions, args.models, args.plot)
