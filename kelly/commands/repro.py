"""Bring the whole pipeline up to date, several networks at a time."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--jobs", type=int, help="networks at a time (one per core)")


def run(args: argparse.Namespace) -> None:
    """Run every chain of stages that is not up to date. Raises KellyError where a stage fails."""
    from kelly.config.params import load
    from kelly.experiments.parallel import num_parallel
    from kelly.pipeline import chains, plots_page

    num_jobs = num_parallel(args.jobs, max(config.training.num_threads for config in load().values()))
    plots_page.ensure()
    chains.reproduce(num_jobs)
