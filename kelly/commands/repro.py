"""Bring the whole pipeline up to date, several networks at a time."""

import argparse

from kelly.runtime.errors import KellyError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--jobs", type=int, help="networks at a time (one per core)")


def run(args: argparse.Namespace) -> None:
    """Run every chain of stages that is not up to date. Raises KellyError where a stage fails."""
    from joblib import cpu_count

    from kelly.config.params import load
    from kelly.pipeline import chains, plots_page

    if args.jobs is not None and args.jobs < 1:
        raise KellyError(f"--jobs {args.jobs}: expected 1 or more")
    num_threads = max(config.training.num_threads for config in load().values())
    plots_page.ensure()
    chains.reproduce(args.jobs or max(1, cpu_count() // num_threads))
