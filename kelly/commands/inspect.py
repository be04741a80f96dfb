"""Show what a folder of music contains, and what each network could learn from it."""

import argparse
from pathlib import Path

from kelly.config.params import load
from kelly.runtime.console import check_png, folder
from kelly.runtime.errors import KellyError
from kelly.runtime.text import printable
from kelly.sources.layouts import LAYOUTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("path", type=folder, metavar="PATH", help="a published data set, or any folder of MIDI files")
    parser.add_argument("--layout", choices=LAYOUTS, help="layout of the folder (detected)")
    parser.add_argument("--max-files", type=int, help="look at this many files, spread over the folder (all)")
    parser.add_argument("--plot", "--picture", type=Path, default=Path("inspection.png"), help="(%(default)s)")


def run(args: argparse.Namespace) -> None:
    """Print the report and plot chords and context. Raises KellyError where no file can be read."""
    from kelly.inspection.folder_report import inspect_folder, report
    from kelly.plots.inspection import draw
    from kelly.sources.extraction.workers import workers

    if args.max_files is not None and args.max_files < 1:
        raise KellyError(f"--max-files {args.max_files}: expected 1 or more")
    check_png("--plot", args.plot)
    extraction = next(iter(load().values())).extraction
    with workers(extraction.num_workers, extraction.dask):
        music = inspect_folder(args.path, args.layout, args.max_files)
    for line in report(music):
        print(printable(line))
    if music.sums.moments[0].any():
        draw(args.plot, printable(f"{args.path.name}: {music.layout.title}"), music.sums)
        print(f"\nPlot of the chords and the context: {args.plot}")
    if all(survey.unusable for survey in music.surveys):
        raise KellyError(f"{args.path}: none of {len(music.entries)} files can be read")
