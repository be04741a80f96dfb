"""A folder of the user's own: any tree of MIDI files, and ratings of some of them in labels.csv, if it exists."""

import re
from collections import Counter
from collections.abc import Mapping
from difflib import get_close_matches
from functools import partial
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from kelly.runtime.errors import KellyError
from kelly.sources.layouts.folders import walk
from kelly.sources.layouts.manifest import Entry, Manifest
from kelly.sources.readers.tables import NUM_SHOWN, is_inside, quoted, read_table

LABELS = "labels.csv"
COLUMNS = ("file", "valence", "arousal")
SUFFIXES = (".mid", ".midi")  # in upper or lower case
SURROGATE = re.compile("[\ud800-\udfff]")  # stands for a byte of a name that is not in UTF-8
ADVICE = "set its path to a folder with .mid or .midi files in it or in its subfolders"
LABELS_ADVICE = "write it as a CSV file in UTF-8 with the columns file, valence and arousal, separated by commas"
MAX_COMPARED = 5_000  # names: a search for the nearest one takes a second per hundred thousand


def list_pieces(path: Path) -> Manifest:
    """List the MIDI files of the tree `path`, by their names in composed Unicode, with the labels that they have.

    Hidden files and folders and links to folders are left out. A file whose name is not Unicode, or that of another in
    other code points, is unusable. Raises KellyError where there are no MIDI files, or as `read_labels` does.
    """
    files: dict[str, Path] = {}
    unusable = []
    suffixes: Counter[str] = Counter()
    labels: list[str] = []
    for folder, names in walk(path, ADVICE):
        suffixes.update(PurePosixPath(name).suffix.lower() or "none" for name in names)
        if not folder:
            labels = [name for name in names if name.lower() == LABELS]
        for name in names:
            if not name.lower().endswith(SUFFIXES):
                continue
            composed = normalize("NFC", folder + name)
            if SURROGATE.search(composed):
                escaped = composed.encode("ascii", "backslashreplace").decode()
                unusable.append({"file": escaped, "reason": "its name is not in UTF-8; rename it"})
            elif composed in files:
                reason = "another file has this name in other code points of Unicode; rename one"
                unusable.append({"file": composed, "reason": reason})
            else:
                files[composed] = path / folder / name
    if not files:
        counts = ", ".join(f"{n} × {suffix}" for suffix, n in suffixes.most_common(5)) or "no files"
        raise KellyError(f"{path}: {ADVICE}; found no MIDI files, but by suffix: {counts}")
    if labels and labels != [LABELS]:
        raise KellyError(f"{path}: rename {' and '.join(labels)}; expected {LABELS} in lower case")
    labelled = read_labels(path / LABELS, files) if labels else {}
    entries = []
    for name in sorted(files):
        valence, arousal = labelled.get(name, (None, None))
        entries.append(Entry(name, files[name], valence=valence, arousal=arousal))
    unusable.sort(key=lambda file: file["file"])
    return Manifest(entries, unusable, {"files": len(entries), "labelled": len(labelled)})


def read_labels(path: Path, files: Mapping[str, object]) -> dict[str, tuple[float, float]]:
    """Read valence and arousal, -1..1, of the files in labels.csv. files: the names that it may contain.

    Other columns are ignored. Raises KellyError where the table or a column is missing or, with all errors, a file
    does not exist or is in two rows, or a label is not a number in -1..1.
    """
    table = read_table(path, COLUMNS, LABELS_ADVICE, ragged=True)
    table.rows["file"] = names = table.rows["file"].map(partial(normalize, "NFC"))
    table.require_paths("file")
    valence, arousal = (table.numbers(column, -1, 1) for column in COLUMNS[1:])
    missing = names[[is_inside(name) and name not in files for name in names]]
    nearest = [_nearest(name, files) if i < NUM_SHOWN else "" for i, name in enumerate(missing)]
    table.add_errors(
        missing.index, (f"file {quoted(n)} does not exist{end}" for n, end in zip(missing, nearest, strict=True))
    )
    table.require_unique("file")
    table.raise_errors("correct these lines")
    return dict(zip(names, zip(valence.tolist(), arousal.tolist(), strict=True), strict=True))


def _nearest(name: str, files: Mapping[str, object]) -> str:
    folded = name.casefold()
    other_case = [file for file in files if file.casefold() == folded]
    near = other_case or get_close_matches(name, list(files)[:MAX_COMPARED], n=1)
    return f"; the nearest name is {quoted(near[0])}" if near else ""
