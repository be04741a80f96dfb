"""VGMIDI: piano arrangements of game music in phrases, rated by listeners for valence and arousal.

Ferreira & Whitehead, "Learning to Generate Music With Sentiment", ISMIR 2019; https://github.com/lucasnfe/vgmidi.
"""

from pathlib import Path, PurePosixPath

from kelly.sources.layouts.folders import scan
from kelly.sources.layouts.manifest import Entry, Manifest
from kelly.sources.readers.tables import DOWNLOAD_AGAIN, Table, read_table

TABLE = "vgmidi_labelled.csv"
COLUMNS = ("id", "midi", "valence", "arousal")
FOLDERS = ("labelled/midi", "labelled/phrases")  # where releases keep the files, regardless of their table


def list_pieces(path: Path) -> Manifest:
    """List the phrases of the folder `path`, each with its valence and arousal; those of one piece, by id, are a group.

    A file that is not where the table lists it is looked up, by its name, in FOLDERS; a missing one is unusable.
    Raises KellyError where the table is missing or, with all errors, it lacks an id, lists a file twice or outside the
    folder, or a label is not a number in -1..1.
    """
    advice = f"set its path to the folder of VGMIDI that contains {TABLE}"
    table = read_table(path / TABLE, COLUMNS, advice)
    table.require_values("id")
    valence, arousal = (table.numbers(column, -1, 1) for column in ("valence", "arousal"))
    table.require_paths("midi")
    table.require_unique("midi")
    table.raise_errors(DOWNLOAD_AGAIN, min_rows=1)
    elsewhere = {
        name: f"{folder}/{name}"
        for folder in reversed(FOLDERS)
        if (path / folder).is_dir()
        for name in scan(path / folder, advice)[1]
    }
    names = table.rows["midi"]
    files = [name if (path / name).is_file() else elsewhere.get(PurePosixPath(name).name, "") for name in names]
    rows = table.rows.assign(valence=valence, arousal=arousal, file=files)
    phrases = Table(table.path, rows[rows["file"] != ""].sort_values("file"))
    phrases.require_unique("file")
    phrases.raise_errors("give each phrase a file of its own")
    columns = (phrases.rows[column] for column in ("file", "id", "valence", "arousal"))
    entries = [
        Entry(name, path / name, group=id, valence=v, arousal=a) for name, id, v, a in zip(*columns, strict=True)
    ]
    reason = f"missing, and not in {' or '.join(FOLDERS)} either; download the data set again"
    unusable = [{"file": name, "reason": reason} for name in sorted(names[rows["file"] == ""])]
    return Manifest(entries, unusable, {"phrases": len(entries), "pieces": len({entry.group for entry in entries})})
