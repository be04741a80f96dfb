"""The `kelly` command: what is not a stage of the pipeline."""

import argparse
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import NoReturn

from joblib import cpu_count

from kelly.audition.phrase import PARTS
from kelly.config.params import PARAMS_FILE, load
from kelly.data.loading import DATA, datasets_folder
from kelly.pipeline import chains, dvc_files, plots_page
from kelly.runtime.atomic import write_text
from kelly.runtime.console import folder, run
from kelly.runtime.errors import KellyError
from kelly.sources.extraction.workers import workers
from kelly.sources.generate import is_outdated
from kelly.sources.layouts import LAYOUTS
from kelly.sources.registry import SOURCES
from kelly.sources.source import GeneratedSource
from kelly.tasks import TASKS

BEGIN = "<!-- results: made by the pipeline, do not edit -->"
END = "<!-- end of results -->"
EXPERIMENTS = Path("experiments")  # where what is no stage of the pipeline writes


def main() -> NoReturn:
    """Run the command that the command line names."""
    parser = argparse.ArgumentParser(prog="kelly", description=__doc__)
    commands = parser.add_subparsers(required=True)
    show = commands.add_parser("results", help="print the results table of the last run")
    show.add_argument("--report", type=Path, default=Path("metrics/report.md"), help="the table (%(default)s)")
    show.add_argument("--readme", type=Path, help="put it into this file as well, between its result marks")
    show.set_defaults(command=lambda a: results(a.report, a.readme))
    look = commands.add_parser("check", help="say what is wrong in params.yaml, and mend what a killed DVC left broken")
    look.add_argument("--params", type=Path, default=PARAMS_FILE, help="the file (%(default)s)")
    look.set_defaults(command=lambda a: check(a.params))
    make = commands.add_parser("repro", help="bring the whole pipeline up to date, several networks at a time")
    make.add_argument("--jobs", type=int, help="how many (one a core)")
    make.set_defaults(command=lambda a: reproduce(a.jobs))
    find = commands.add_parser("search", help="find settings that train a network to a smaller validation loss")
    find.add_argument("--model", required=True, type=str.lower, choices=TASKS, help="the network")
    find.add_argument("--trials", type=int, default=30, help="how many choices of settings (%(default)s)")
    find.add_argument("--sampler", choices=("tpe", "random"), default="tpe", help="what chooses them (%(default)s)")
    find.add_argument("--jobs", type=int, help="how many at a time (one a core)")
    find.add_argument("--no-pruning", action="store_true", help="train all to their end")
    find.add_argument("--write", action="store_true", help="put the best into params.yaml")
    find.add_argument("--storage", help="address of a database that several machines share (an SQLite file)")
    find.add_argument("--output", type=folder, default=EXPERIMENTS / "search", help="(%(default)s)")
    find.set_defaults(
        command=lambda a: resolve_name("kelly.experiments.search_results:search")(
            load()[a.model], a.trials, a.output, sampler=a.sampler, num_jobs=a.jobs, prune=not a.no_pruning,
            storage=a.storage, write=a.write,
        )
    )  # fmt: skip
    fold = commands.add_parser("crossval", help="train and score without one part of the pieces after another")
    fold.add_argument("--folds", type=int, default=5, help="how many parts (%(default)s)")
    fold.add_argument("--models", nargs="+", type=str.lower, choices=TASKS, default=list(TASKS), help="(all)")
    fold.add_argument("--jobs", type=int, help="how many at a time (one a core)")
    fold.add_argument("--output", type=folder, default=EXPERIMENTS / "crossval", help="(%(default)s)")
    fold.set_defaults(
        command=lambda a: resolve_name("kelly.experiments.crossval:crossval")(
            [s for name, s in load().items() if name in a.models], a.folds, a.output, a.jobs
        )
    )
    many = commands.add_parser("ensemble", help="several networks made one: averaged, distilled, exported, compared")
    many.add_argument("--model", required=True, type=str.lower, choices=TASKS, help="the network")
    many.add_argument("--members", type=int, default=5, help="how many (%(default)s)")
    many.add_argument("--by", choices=("seeds", "folds"), default="seeds", help="what they differ in (%(default)s)")
    many.add_argument("--jobs", type=int, help="how many at a time (one a core)")
    many.add_argument("--output", type=folder, default=EXPERIMENTS / "ensemble", help="(%(default)s)")
    many.set_defaults(
        command=lambda a: resolve_name("kelly.experiments.ensemble_results:ensemble")(
            load()[a.model], a.members, a.by, a.output, a.jobs
        )
    )
    see = commands.add_parser("inspect", help="say what is in a folder of music, and what could be learned from it")
    see.add_argument("path", type=folder, metavar="PATH", help="a published data set, or any folder of MIDI files")
    see.add_argument("--layout", choices=LAYOUTS, help="what the folder is (as it is found)")
    see.add_argument("--max-files", type=int, help="look at so many files, spread over the folder (all)")
    see.add_argument("--picture", type=Path, default=Path("inspection.png"), help="draw it here (%(default)s)")
    see.set_defaults(command=lambda a: look_at(a.path, a.layout, a.max_files, a.picture))
    beside = commands.add_parser("compare", help="say how networks of revisions differ, and what may be chance")
    beside.add_argument("revisions", nargs="+", metavar="REV",
                        help="a git revision, an experiment of DVC, or workspace; others are compared with the first, "
                        "and one alone with the workspace")  # fmt: skip
    beside.add_argument(
        "--models", nargs="+", type=str.lower, choices=TASKS, help="these networks alone (those that differ)"
    )
    beside.add_argument("--picture", type=Path, default=Path("comparison.png"), help="draw it here (%(default)s)")
    beside.set_defaults(command=lambda a: compare(a.revisions, a.models, a.picture))
    hear = commands.add_parser("audition", help="write a page that plays the networks in a browser")
    hear.add_argument(
        "revisions", nargs="*", metavar="REV", help="git revisions or experiments, side by side (--models)"
    )
    hear.add_argument("--models", type=folder, help="a folder of five exports (trained_models)")
    hear.add_argument("--output", type=Path, default=Path("audition.html"), help="(%(default)s)")
    hear.add_argument("--serve", action="store_true", help="serve it on localhost as well, until Ctrl-C")
    hear.add_argument("--port", type=int, default=8000, help="where, with --serve (%(default)s)")
    hear.add_argument("--open", action="store_true", help="open it in the browser")
    hear.set_defaults(
        command=lambda a: resolve_name("kelly.commands.audition:audition")(
            a.revisions, a.models, a.output, serve_at=a.port if a.serve else None, show=a.open
        )
    )
    play = commands.add_parser("render", help="write what the networks play for an emotion as a MIDI file")
    play.add_argument("output", type=Path, metavar="FILE.mid", help="the file")
    play.add_argument("--valence", type=float, required=True, help="dark to bright, -1 to 1")
    play.add_argument("--arousal", type=float, required=True, help="calm to lively, -1 to 1")
    play.add_argument("--seed", type=int, default=42, help="the same gives the same (%(default)s)")
    play.add_argument("--bars", type=int, default=8, help="(%(default)s)")
    play.add_argument("--tempo", type=int, metavar="BPM", help="(as is usual for the emotion)")
    play.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="(all)")
    play.add_argument("--revision", metavar="REV", help="a git revision or an experiment (--models)")
    play.add_argument("--models", type=folder, help="a folder of five exports (trained_models)")
    play.set_defaults(
        command=lambda a: resolve_name("kelly.commands.audition:render")(
            a.output, a.valence, a.arousal, seed=a.seed, bars=a.bars, bpm=a.tempo, parts=a.parts, revision=a.revision,
            folder=a.models,
        )
    )  # fmt: skip
    arguments = parser.parse_args()
    run(partial(arguments.command, arguments))


def check(path: Path) -> None:
    """Validate the settings in `path`, say which source each network learns from, mend DVC's notes, make its page.

    Raises KellyError where files of a source changed since its data was made: DVC does not watch them.
    """
    for line in dvc_files.mend():
        print(line)
    plots_page.ensure()
    outdated = []
    known = load(path)
    for s in known.values():
        if s.search:
            resolve_name("kelly.experiments.search_space:spaces")(s.search, s.training.epochs)
        print(f"{s.task.title}: {s.source}, {s.training.epochs} epochs at most")
        is_folder = not isinstance(SOURCES[s.task.name][s.source], GeneratedSource)
        if is_folder and is_outdated(s.task, s.source, s.data, datasets_folder(DATA, s.task.name)):
            outdated.append(f"{s.data['path']} changed since the data of {s.task.title} was made of it: "
                            f"dvc repro -f -s generate@{s.task.name}")  # fmt: skip
    if outdated:
        raise KellyError("music was added, removed or changed; make the data anew, then go on:\n" + "\n".join(outdated))


def reproduce(jobs: int | None) -> None:
    """Run every chain of stages that is not up to date, `jobs` at a time."""
    if jobs is not None and jobs < 1:
        raise KellyError(f"--jobs {jobs}: expected 1 or more")
    num_threads = max(s.training.num_threads for s in load().values())
    plots_page.ensure()
    chains.reproduce(jobs or max(1, cpu_count() // num_threads))


def look_at(path: Path, layout: str | None, max_files: int | None, picture: Path) -> None:
    """Inspect a folder of music with as many processes as params.yaml says."""
    if max_files is not None and max_files < 1:
        raise KellyError(f"--max-files {max_files}: expected 1 or more")
    check_picture(picture)
    extraction = next(iter(load().values())).extraction
    with workers(extraction.num_workers, extraction.dask):
        resolve_name("kelly.commands.inspect:inspect")(path, layout, max_files, picture)


def compare(revisions: list[str], models: list[str] | None, picture: Path) -> None:
    """Compare revisions. Raises KellyError before anything is read where the picture has no name of a picture."""
    check_picture(picture)
    resolve_name("kelly.experiments.compare:compare")(revisions, models, picture)


def check_picture(path: Path) -> None:
    """Raise KellyError where a picture is to have another name than that of a PNG."""
    if path.suffix.lower() != ".png":
        raise KellyError(f"--picture {path}: expected a name that ends with .png")


def results(report: Path, readme: Path | None = None) -> None:
    """Print the results table, and put it into `readme` between its marks."""
    if not report.exists():
        raise KellyError(f"{report} is missing; run the pipeline first: dvc repro")
    table = report.read_text(encoding="utf-8")
    if readme is not None:
        put_between(readme, BEGIN, END, table)
    print(table)


def put_between(page: Path, begin: str, end: str, text: str) -> None:
    """Put `text` between two marks of a page. Raises KellyError where they are not there once each, in that order."""
    whole = page.read_text(encoding="utf-8")
    if whole.count(begin) != 1 or whole.count(end) != 1 or whole.index(begin) > whole.index(end):
        raise KellyError(f"{page}: found no place for the results, expected {begin!r} and {end!r} once each")
    current = f"{whole[: whole.index(begin)]}{begin}\n{text}{whole[whole.index(end) :]}"
    if current != whole:
        write_text(page, current)
