"""A folder of the user's own: any tree of MIDI files, and the emotion of some of them in labels.csv, if it is there."""

from collections import Counter
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from kelly.runtime.errors import KellyError
from kelly.sources.layouts.folders import walk
from kelly.sources.layouts.listing import Entry, Listing
from kelly.sources.layouts.tables import NUM_SHOWN, file_in, number_in, read_table, repeated, shown, tell_faults

LABELS = "labels.csv"
COLUMNS = ("file", "valence", "arousal")
SUFFIXES = (".mid", ".midi")  # in upper or lower case
EXPECTED = "expected a folder with .mid or .midi files in it or in its folders; set its path to one"
EXPECTED_LABELS = "expected a CSV file in UTF-8 with the columns file, valence and arousal, separated by commas"
MAX_COMPARED = 5_000  # names: a search of the nearest one takes a second a hundred thousand


def list_pieces(path: Path) -> Listing:
    """List the MIDI files of the tree `path`, by their names in composed Unicode, with the labels that they have.

    Hidden files and folders and links to folders are left out. A file whose name is no Unicode, or that of another in
    other code points, is unusable. Raises KellyError where there are no MIDI files, or labels.csv is not as
    `read_labels` expects it.
    """
    files: dict[str, Path] = {}
    unusable = []
    suffixes: Counter[str] = Counter()
    labels: list[str] = []
    for folder, names in walk(path, EXPECTED):
        suffixes.update(PurePosixPath(name).suffix.lower() or "none" for name in names)
        if not folder:
            labels = [name for name in names if name.lower() == LABELS]
        for name in names:
            if not name.lower().endswith(SUFFIXES):
                continue
            composed = normalize("NFC", folder + name)
            if not _is_unicode(composed):
                escaped = composed.encode("ascii", "backslashreplace").decode()
                unusable.append({"file": escaped, "reason": "its name is not in UTF-8; rename it"})
            elif composed in files:
                reason = "another file has this name in other code points of Unicode; rename one"
                unusable.append({"file": composed, "reason": reason})
            else:
                files[composed] = path / folder / name
    if not files:
        found = ", ".join(f"{n} × {suffix}" for suffix, n in suffixes.most_common(5)) or "no files"
        raise KellyError(f"{path}: no MIDI files, found by ending: {found}; {EXPECTED}")
    if labels and labels != [LABELS]:
        raise KellyError(f"{path}: found {' and '.join(labels)}, expected {LABELS} in lower case; rename it")
    labelled = read_labels(path / LABELS, files) if labels else {}
    entries = []
    for name in sorted(files):
        valence, arousal = labelled.get(name, (None, None))
        entries.append(Entry(name, files[name], valence=valence, arousal=arousal))
    unusable.sort(key=lambda one: one["file"])
    return Listing(entries, unusable, {"files": len(entries), "labelled": len(labelled)})


def read_labels(table: Path, files: Mapping[str, object]) -> dict[str, tuple[float, float]]:
    """Valence and arousal, -1..1, of the files that labels.csv names; files: the names that it may use.

    Further columns do not count. Raises KellyError where the table or a column is missing or, with all that is wrong
    at once, a file is not there or stands in two rows, or a label is no number in -1..1.
    """
    wrong: list[str] = []
    labelled: dict[str, tuple[float, float]] = {}
    listed = []
    num_missing = 0
    for line, row in read_table(table, COLUMNS, wrong, EXPECTED_LABELS, ragged=True):
        num_wrong = len(wrong)
        name = normalize("NFC", file_in(row, "file", line, wrong))
        valence, arousal = (number_in(row, column, -1, 1, line, wrong) for column in COLUMNS[1:])
        if len(wrong) == num_wrong and name not in files:
            num_missing += 1
            nearest = _nearest(name, files) if num_missing <= NUM_SHOWN else ""
            wrong.append(f"line {line}: file {shown(name)} is not there, expected a MIDI file of the folder{nearest}")
        listed.append(name)
        labelled[name] = (valence, arousal)
    tell_faults(table, wrong + repeated("file", listed), "correct the table")
    return labelled


def _nearest(name: str, files: Mapping[str, object]) -> str:
    folded = name.casefold()
    other_case = [file for file in files if file.casefold() == folded]
    near = other_case or get_close_matches(name, list(files)[:MAX_COMPARED], n=1)
    return f"; the nearest name is {shown(near[0])}" if near else ""


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
