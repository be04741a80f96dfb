"""A folder of music as `kelly inspect` reports it: its files, and what each network could learn from them."""

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

from kelly.config.params import PARAMS_FILE, source_settings
from kelly.config.sources import UNSUPPORTED, source_names
from kelly.config.yaml_file import read_yaml
from kelly.features.emotion import COORDINATES
from kelly.features.vocabulary import CHORDS, NO_CHORD
from kelly.inspection.survey import Sums, Survey, survey_all
from kelly.runtime.errors import KellyError
from kelly.sources.extraction.duplicates import same_works
from kelly.sources.layouts import LAYOUTS, Layout, layout_of
from kelly.sources.layouts.manifest import Entry, Manifest, evenly_spaced
from kelly.tasks import TASKS

# Settings of a source that do not change which examples a file gives.
NOT_OF_EXAMPLES = {"path", "max_files", "max_windows_per_piece", "max_skipped_share", "augmentation", "soundfont"}
CHUNK_FILES = 16
MIN_PIECES, FEW_PIECES = 5, 50  # fewer cannot be split; fewer are soon overfitted
NUM_REASONS = 5
NUM_NAMED = 3
MIN_SPREAD = 0.02  # standard deviation below which a coordinate counts as constant


@dataclass(frozen=True)
class MusicFolder:
    """A folder of music and the survey of its files; entries and surveys go together.

    options: settings that its layout needs, where they differ from those of params.yaml
    """

    path: Path
    layout: Layout
    manifest: Manifest
    entries: Sequence[Entry]
    surveys: Sequence[Survey]
    sums: Sums
    options: Mapping[str, Any]


def inspect_folder(path: Path, layout_name: str | None, max_files: int | None) -> MusicFolder:
    """Survey the files of a folder.

    layout_name: a key of kelly.sources.layouts.LAYOUTS; None: detected. max_files: spread over the folder; None: all
    Raises KellyError where the folder has another layout.
    """
    if not path.is_dir():
        raise KellyError(f"{path}: found {'a file' if path.exists() else 'nothing'}, expected a folder of music")
    layout = LAYOUTS[layout_name] if layout_name else layout_of(path)
    manifest, settings, options = _list_pieces(path, layout)
    entries = [manifest.entries[i] for i in evenly_spaced(len(manifest.entries), max_files)]
    chunks = [entries[start : start + CHUNK_FILES] for start in range(0, len(entries), CHUNK_FILES)]
    survey = joblib.delayed(survey_all)
    results = joblib.Parallel(return_as="generator")(survey(chunk, layout.name, settings) for chunk in chunks)
    surveys, sums = [], Sums()
    with tqdm(total=len(entries), desc="inspect", unit="file", disable=None) as progress:
        for chunk_surveys, chunk_sums in results:
            surveys += chunk_surveys
            sums.add(chunk_sums)
            progress.update(len(chunk_surveys))
    return MusicFolder(path, layout, manifest, entries, surveys, sums, options)


def _list_pieces(path: Path, layout: Layout) -> tuple[Manifest, dict[str, dict[str, Any]], dict[str, Any]]:
    """The pieces of the folder; by network, the settings of its examples; and options that differ from params.yaml."""
    settings: dict[str, dict[str, Any]] = {}
    options: dict[str, Any] = {}
    for name, own in source_settings(layout.name).items():
        options = {option: own[option] for option in layout.options}
        settings[name] = {key: own[key] for key in own.keys() - options.keys() - NOT_OF_EXAMPLES}
        if "context" in own:
            settings[name]["context"] = "embedding"  # it contains the nine coordinates
    try:
        return layout.list_pieces(path, **options), settings, {}
    except KellyError:
        if options.get("test_split") != "test":
            raise
        options["test_split"] = "validation"  # a copy without its test files
        return layout.list_pieces(path, **options), settings, options


def report(music: MusicFolder) -> Iterator[str]:
    """The printed report, line by line."""
    licence = f", licence: {music.layout.licence}" if music.layout.licence else ""
    yield f"{music.path}: {music.layout.title}{licence}"
    pairs = list(zip(music.entries, music.surveys, strict=True))
    unusable = [(entry.name, survey.unusable) for entry, survey in pairs if survey.unusable]
    missing = [(file["file"], file["reason"]) for file in music.manifest.unusable]
    rest = len(music.manifest.entries) - len(music.entries)
    more = f" ({rest:,} more were not looked at)" if rest else ""
    readable = len(music.entries) - len(unusable)
    yield f"{len(pairs) + len(missing):,} files: {readable:,} readable, {len(unusable + missing):,} not{more}"
    yield from _reasons(unusable + missing)
    for key, value in music.manifest.facts.items():
        if value and key != "files":
            text = ", ".join(f"{n} {name}" for name, n in value.items()) if isinstance(value, Mapping) else value
            yield f"{key.replace('_', ' ')}: {text}"
    works = same_works([survey.signature for survey in music.surveys], [entry.group for entry in music.entries])
    count = len(np.unique(works[[not survey.unusable for survey in music.surveys]])) if pairs else 0
    yield f"{count:,} works: files with the same notes, or versions of one piece, count once"
    yield ""
    yield f"{'network':<18}{'files':>8}{'windows':>10}  what it could learn"
    for name in TASKS:
        yield from _network(music, name)
    yield from _chords(music.sums)
    yield from _context(music.sums)


def _reasons(files: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The most common reasons, regardless of the numbers in them, each with some of its files."""
    kinds: dict[str, list[tuple[str, str]]] = {}
    for name, reason in files:
        kinds.setdefault(re.sub(r"\d+", "#", reason), []).append((name, reason))
    for kind in islice(sorted(kinds.values(), key=lambda kind: -len(kind)), NUM_REASONS):
        names = ", ".join(name for name, _ in kind[:NUM_NAMED]) + (", …" if len(kind) > NUM_NAMED else "")
        example = "e.g. " if len({reason for _, reason in kind}) > 1 else ""
        yield f"  {len(kind):,} × {example}{kind[0][1]}: {names}"


def _network(music: MusicFolder, name: str) -> Iterator[str]:
    title, source = TASKS[name].title, music.layout.name
    if source not in source_names(name):
        yield f"{title:<18}{'–':>8}{'–':>10}  nothing: {music.layout.title} {UNSUPPORTED[source]}"
        return
    files = sum(name in survey.windows for survey in music.surveys)
    windows = sum(survey.windows.get(name, 0) for survey in music.surveys)
    if files < MIN_PIECES:
        outlook = f"nothing: at least {MIN_PIECES} pieces are needed for the splits"
    elif files < FEW_PIECES:
        outlook = "little: so few pieces are soon overfitted; compare with ridge regression"
    else:
        outlook = "enough to try"
    yield f"{title:<18}{files:>8,}{windows:>10,}  {outlook}"
    pairs = zip(music.entries, music.surveys, strict=True)
    yield from _reasons([(e.name, s.not_applicable[name]) for e, s in pairs if name in s.not_applicable])
    if files >= MIN_PIECES:
        yield f"  {_command(music, name)}"


def _command(music: MusicFolder, model: str) -> str:
    """The command that trains a network on the folder; `++` sets a key that params.yaml leaves out."""
    source = music.layout.name
    settings = source_settings(source)[model]
    present = read_yaml(PARAMS_FILE)["models"][model]["data"].get(source, {})
    words = ["dvc", "exp", "run", "-S", f"models.{model}.data.source={source}"]
    for key, value in {"path": str(music.path), **music.options}.items():
        if value != settings[key]:
            words += ["-S", f"{'' if key in present else '++'}models.{model}.data.{source}.{key}={value}"]
    return shlex.join(words)


def _chords(sums: Sums) -> Iterator[str]:
    if sums.chords.any():
        order = np.argsort(-sums.chords, kind="stable")[:8]
        shares = ", ".join(f"{CHORDS[i]} {sums.chords[i] / sums.chords.sum():.0%}" for i in order if sums.chords[i])
        yield ""
        yield f"chords: {int((sums.chords[:NO_CHORD] > 0).sum())} of {NO_CHORD} occur (the tonic is C): {shares}"


def _context(sums: Sums) -> Iterator[str]:
    number, total, squares = sums.moments
    if not number.any():
        return
    mean = total / number
    deviation = np.sqrt(np.maximum(squares / number - mean**2, 0.0))
    yield ""
    yield "context of a window (−1..1)              mean    spread"
    for name, m, s in zip(COORDINATES, mean, deviation, strict=True):
        note = "  nearly constant: this music does not show it" if s < MIN_SPREAD else ""
        yield f"  {name:<36}{m:>8.2f}{s:>10.2f}{note}"
