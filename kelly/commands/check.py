"""Report every mistake in params.yaml, and repair DVC files that a kill left half written."""

import argparse
from pathlib import Path

from kelly.config.params import PARAMS_FILE, load
from kelly.pipeline import dvc_files, plots_page, status


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--params", type=Path, default=PARAMS_FILE, help="the file (%(default)s)")


def run(args: argparse.Namespace) -> None:
    """Check the settings and print the source of each network.

    Raises KellyError where files of a source changed since its data was generated: DVC does not track them. Likewise
    where DVC takes an export of other settings as up to date.
    """
    for line in dvc_files.repair():
        print(line)
    plots_page.ensure()
    configs = load(args.params)
    for config in configs.values():
        if config.search:
            from kelly.experiments.search_space import spaces

            spaces(config.search, config.training.epochs)
        print(f"{config.task.title}: {config.source}, at most {config.training.epochs} epochs")
    if args.params == PARAMS_FILE:  # that DVC tracks
        status.check_recorded(configs)
