"""MAESTRO v3.0.0: performances at a piano competition, recorded by the piano as MIDI.

Hawthorne et al., "Enabling Factorized Piano Music Modeling and Generation with the MAESTRO Dataset", ICLR 2019;
https://magenta.tensorflow.org/datasets/maestro, CC BY-NC-SA 4.0.
"""

from collections import Counter
from pathlib import Path

from kelly.sources.layouts.manifest import SPLITS, Entry, Manifest
from kelly.sources.readers.tables import DOWNLOAD_AGAIN, read_table

TABLE = "maestro-v3.0.0.csv"
COLUMNS = ("canonical_composer", "canonical_title", "split", "midi_filename")


def list_pieces(path: Path) -> Manifest:
    """List the performances of the folder `path`; those of one work, by composer and title, are one group.

    A missing file is unusable, and so is a performance whose work is in a later split too (train, validation, test):
    a network that trained on the work would know it in the test.
    Raises KellyError where the table is missing or, with all errors, it lacks a composer, a title or a split, lists a
    file twice or a file outside the folder.
    """
    advice = f"set its path to the folder of MAESTRO v3.0.0 that contains {TABLE}"
    table = read_table(path / TABLE, COLUMNS, advice)
    table.require_values("canonical_composer", "canonical_title")
    table.require(table.rows["split"].isin(SPLITS), "split", f"one of {', '.join(SPLITS)}")
    table.require_paths("midi_filename")
    table.require_unique("midi_filename")
    table.raise_errors(DOWNLOAD_AGAIN, min_rows=1)
    rows = table.rows.sort_values("midi_filename")
    # The capitals and spaces of a title vary from year to year.
    works = [
        " ".join(f"{c}: {t}".casefold().split()) for c, t in zip(*(rows[name] for name in COLUMNS[:2]), strict=True)
    ]
    last_split = rows["split"].map(SPLITS.index).groupby(works).transform("max")
    entries, unusable = [], []
    for name, split, work, last in zip(rows["midi_filename"], rows["split"], works, last_split, strict=True):
        if split != SPLITS[last]:
            reason = f"its work is in {split} and in {SPLITS[last]}, expected one split; only {SPLITS[last]} uses it"
            unusable.append({"file": name, "reason": reason})
        elif not (path / name).is_file():
            unusable.append({"file": name, "reason": "missing, although the table lists it; download it again"})
        else:
            entries.append(Entry(name, path / name, group=work, predefined_split=split))
    counts = Counter(entry.predefined_split for entry in entries)
    facts = {
        "performances": {split: counts[split] for split in SPLITS},
        "works": len({entry.group for entry in entries}),
    }
    return Manifest(entries, unusable, facts)
