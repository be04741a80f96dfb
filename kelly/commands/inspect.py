"""`kelly inspect`: what is in a folder of music, before anything is trained on it."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from tqdm import tqdm

from kelly.config.params import source_settings
from kelly.config.sources import UNSUPPORTED, source_names
from kelly.features.emotion import COORDINATES
from kelly.plots.inspection import draw
from kelly.runtime.errors import KellyError
from kelly.sources.extraction.duplicates import same_works
from kelly.sources.layouts import LAYOUTS, Layout, layout_of
from kelly.sources.layouts.listing import Entry, Listing, spread
from kelly.sources.music.chords import CHORDS, NO_CHORD
from kelly.sources.survey import Sums, Survey, survey_all
from kelly.tasks import TASKS

NOT_OF_LESSONS = {"path", "max_files", "max_windows_per_piece", "max_skipped_share", "augmentation", "soundfont"}
CHUNK_FILES = 16
MIN_PIECES, FEW_PIECES = 5, 50  # pieces: fewer cannot be divided; fewer are soon learned by heart
NUM_REASONS = 5
NUM_NAMED = 3
STEADY = 0.02  # a coordinate that varies less says nothing


@dataclass(frozen=True)
class Folder:
    """A folder of music, as it was found and looked at; entries and surveys go process_group.

    options: settings with which its layout is met, where they are not those of params.yaml
    """

    path: Path
    layout: Layout
    listing: Listing
    entries: Sequence[Entry]
    surveys: Sequence[Survey]
    sums: Sums
    options: Mapping[str, Any]


def inspect(path: Path, layout_name: str | None, max_files: int | None, picture: Path) -> None:
    """Look at the music of a folder, say what it holds and what each network could learn from it, and draw it.

    layout_name: of kelly.sources.layouts; None: as it is found. max_files: spread evenly over the folder; None: all.
    Raises KellyError where the folder is not in the layout or holds nothing that can be read.
    """
    if not path.is_dir():
        found = "a file" if path.exists() else "nothing"
        raise KellyError(f"{path}: found {found}, expected a folder of music")
    layout = LAYOUTS[layout_name] if layout_name else layout_of(path)
    listing, settings, options = _listed(path, layout)
    entries = [listing.entries[i] for i in spread(len(listing.entries), max_files)]
    surveys, sums = _look(entries, layout.name, settings)
    folder = Folder(path, layout, listing, entries, surveys, sums, options)
    for line in report(folder):
        print(line)
    if sums.moments[0].any():
        draw(picture, f"{path.name}: {layout.title}", sums)
        print(f"\nPicture of the chords and of what is heard: {picture}")
    if all(s.unusable for s in folder.surveys):
        raise KellyError(f"{path}: none of {len(entries)} files can be read")


def _listed(path: Path, layout: Layout) -> tuple[Listing, dict[str, dict[str, Any]], dict[str, Any]]:
    """The pieces of the folder, the settings of the lessons, by network, that its layout serves, and other options."""
    lessons: dict[str, dict[str, Any]] = {}
    options: dict[str, Any] = {}
    for name, own in source_settings(layout.name).items():
        options = {option: own[option] for option in layout.options}
        lessons[name] = {key: own[key] for key in own.keys() - options.keys() - NOT_OF_LESSONS}
        if "context" in own:
            lessons[name]["context"] = "embedding"  # it tells the nine coordinates
    if options.get("test_split") == "test":
        try:
            return layout.list_pieces(path, **options), lessons, {}
        except KellyError:  # a copy without its test files is divided otherwise
            options["test_split"] = "validation"
            return layout.list_pieces(path, **options), lessons, options
    return layout.list_pieces(path, **options), lessons, {}


def _look(entries: Sequence[Entry], source: str, settings: dict[str, dict[str, Any]]) -> tuple[list[Survey], Sums]:
    chunks = [entries[start : start + CHUNK_FILES] for start in range(0, len(entries), CHUNK_FILES)]
    work = joblib.Parallel(return_as="generator")(joblib.delayed(survey_all)(c, source, settings) for c in chunks)
    surveys, sums = [], Sums()
    with tqdm(total=len(entries), desc="inspect", unit="file", disable=None) as progress:
        for found, of_chunk in work:
            surveys += found
            sums.add(of_chunk)
            progress.update(len(found))
    return surveys, sums


def report(folder: Folder) -> Iterator[str]:
    """What there is to say of a folder, line by line."""
    licence = f", licence: {folder.layout.licence}" if folder.layout.licence else ""
    yield f"{folder.path}: {folder.layout.title}{licence}"
    unusable = [(e.name, s.unusable) for e, s in zip(folder.entries, folder.surveys, strict=True) if s.unusable]
    missing = [(one["file"], one["reason"]) for one in folder.listing.unusable]
    looked = len(folder.entries)
    left = len(folder.listing.entries) - looked
    more = f" ({left:,} more were not looked at)" if left else ""
    readable = looked - len(unusable)
    yield f"{looked + len(missing):,} files: {readable:,} can be read, {len(unusable + missing):,} cannot{more}"
    yield from _reasons(unusable + missing)
    for key, value in folder.listing.facts.items():
        if value and key != "files":
            told = ", ".join(f"{n} {name}" for name, n in value.items()) if isinstance(value, Mapping) else value
            yield f"{key.replace('_', ' ')}: {told}"
    signatures, groups = [s.signature for s in folder.surveys], [e.group for e in folder.entries]
    works = len(np.unique(same_works(signatures, groups)[[not s.unusable for s in folder.surveys]])) if looked else 0
    yield f"{works:,} works: files of the same notes, or versions of one piece, count once"
    yield ""
    yield from _networks(folder)
    yield from _chords(folder)
    yield from _heard(folder)


def _reasons(named: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The commonest reasons, numbers in them left aside, each with some of the files that it holds for."""
    kinds: dict[str, list[tuple[str, str]]] = {}
    for name, reason in named:
        kinds.setdefault(re.sub(r"\d+", "#", reason), []).append((name, reason))
    for files in islice(sorted(kinds.values(), key=lambda files: -len(files)), NUM_REASONS):
        names = ", ".join(name for name, _ in files[:NUM_NAMED]) + (", …" if len(files) > NUM_NAMED else "")
        example = "e.g. " if len({reason for _, reason in files}) > 1 else ""
        yield f"  {len(files):,} × {example}{files[0][1]}: {names}"


def _networks(folder: Folder) -> Iterator[str]:
    yield f"{'network':<18}{'files':>8}{'windows':>10}  what it could learn"
    for name, task in TASKS.items():
        if folder.layout.name not in source_names(name):
            yield f"{task.title:<18}{'–':>8}{'–':>10}  nothing: {folder.layout.title} {UNSUPPORTED[folder.layout.name]}"
            continue
        files = sum(name in s.windows for s in folder.surveys)
        windows = sum(s.windows.get(name, 0) for s in folder.surveys)
        yield f"{task.title:<18}{files:>8,}{windows:>10,}  {_verdict(files)}"
        yield from _reasons(
            [
                (e.name, s.unsuited[name])
                for e, s in zip(folder.entries, folder.surveys, strict=True)
                if name in s.unsuited
            ]
        )
        if files >= MIN_PIECES:
            yield f"  {_command(folder, name)}"


def _command(folder: Folder, model: str) -> str:
    """The command that trains a network on the folder."""
    key, source = f"models.{model}.data", folder.layout.name
    chosen = {"path": folder.path, **folder.options}
    options = "".join(f" -S {shlex.quote(f'{key}.{source}.{name}={value}')}" for name, value in chosen.items())
    return f"dvc exp run -S {key}.source={source}{options}"


def _verdict(files: int) -> str:
    if files < MIN_PIECES:
        return f"nothing: {MIN_PIECES} pieces are the least that can be divided"
    if files < FEW_PIECES:
        return "little: so few pieces are soon learned by heart; compare with ridge regression"
    return "enough to try"


def _chords(folder: Folder) -> Iterator[str]:
    chords = folder.sums.chords
    if chords.any():
        order = np.argsort(-chords, kind="stable")[:8]
        shares = ", ".join(f"{CHORDS[i]} {chords[i] / chords.sum():.0%}" for i in order if chords[i])
        yield ""
        yield f"chords: {int((chords[:NO_CHORD] > 0).sum())} of {NO_CHORD} occur (the tonic is C): {shares}"


def _heard(folder: Folder) -> Iterator[str]:
    number, total, squares = folder.sums.moments
    if not number.any():
        return
    mean = total / number
    spread = np.sqrt(np.maximum(squares / number - mean**2, 0.0))
    yield ""
    yield "what is heard before a window (−1..1)    mean    spread"
    for name, m, s in zip(COORDINATES, mean, spread, strict=True):
        note = "  hardly varies: this music does not tell it" if s < STEADY else ""
        yield f"  {name:<36}{m:>8.2f}{s:>10.2f}{note}"
