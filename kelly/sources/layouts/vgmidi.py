"""VGMIDI: piano arrangements of game music in phrases that listeners called glad or sad, calm or excited.

Ferreira & Whitehead, "Learning to Generate Music With Sentiment", ISMIR 2019; https://github.com/lucasnfe/vgmidi.
"""

from pathlib import Path, PurePosixPath

from kelly.sources.layouts.folders import scan
from kelly.sources.layouts.listing import Entry, Listing
from kelly.sources.layouts.tables import file_in, number_in, read_table, repeated, tell_faults

TABLE = "vgmidi_labelled.csv"
COLUMNS = ("id", "midi", "valence", "arousal")  # the ones that are read
FOLDERS = ("labelled/midi", "labelled/phrases")  # where releases keep the files, whatever their table says


def list_pieces(path: Path) -> Listing:
    """List the phrases of the folder `path`, each with its valence and arousal; those of one piece, by id, are a group.

    A file that is not where the table says is looked for, by its name, in FOLDERS; a missing one is unusable.
    Raises KellyError where the table is missing or, with all that is wrong at once, it lacks an id, lists a file twice
    or outside the folder, or a label is no number in -1..1.
    """
    table = path / TABLE
    advice = f"expected VGMIDI unpacked in {path}, set its path to the folder that holds {TABLE}"
    wrong: list[str] = []
    rows = []
    for line, row in read_table(table, COLUMNS, wrong, advice):
        if not row["id"]:
            wrong.append(f"line {line}: no id, expected one")
        labels = [number_in(row, column, -1, 1, line, wrong) for column in ("valence", "arousal")]
        rows.append((file_in(row, "midi", line, wrong), row["id"], labels))
    wrong += repeated("midi", (name for name, _, _ in rows))
    if not rows and not wrong:
        wrong.append("no rows, expected one a phrase")
    tell_faults(table, wrong, "mend them or unpack the data set anew")
    elsewhere = {
        name: f"{folder}/{name}"
        for folder in reversed(FOLDERS)
        if (path / folder).is_dir()
        for name in scan(path / folder, advice)[1]
    }
    entries, unusable = [], []
    for listed, piece, (valence, arousal) in rows:
        name = listed if (path / listed).is_file() else elsewhere.get(PurePosixPath(listed).name, "")
        if name:
            entries.append(Entry(name, path / name, group=piece, valence=valence, arousal=arousal))
        else:
            reason = f"missing, and not in {' or '.join(FOLDERS)} either; unpack the data set anew"
            unusable.append({"file": listed, "reason": reason})
    tell_faults(table, repeated("the file", (entry.name for entry in entries)), "give each phrase a file of its own")
    entries.sort(key=lambda entry: entry.name)
    unusable.sort(key=lambda one: one["file"])
    return Listing(entries, unusable, {"phrases": len(entries), "pieces": len({entry.group for entry in entries})})
