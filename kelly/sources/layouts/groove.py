"""Drum performances from a folder in the layout of the Groove MIDI Dataset.

Gillick, Roberts, Engel, Eck & Bamman, "Learning to Groove with Inverse Sequence Transformations", ICML 2019;
https://magenta.tensorflow.org/datasets/groove, CC BY 4.0.
"""

from pathlib import Path
from typing import Any, Literal

from kelly.runtime.errors import KellyError
from kelly.sources.layouts.manifest import SPLITS, Entry, Manifest
from kelly.sources.readers.tables import DOWNLOAD_AGAIN, read_table

TestSplit = Literal["test", "validation"]

TABLE = "info.csv"
COLUMNS = ("id", "style", "time_signature", "midi_filename", "split")


def list_pieces(path: Path, test_split: TestSplit) -> Manifest:
    """List the performances in 4/4, each with its split and style.

    test_split: the published split to test on. With 'validation' those performances are the test split, and the
        published 'test' performances are left out, so that they stay unseen.
    Raises KellyError where info.csv is invalid, or no 4/4 performance is in 'train' or in `test_split`.
    """
    listed = read_info(path)
    performances = [p for p in listed if p.time_signature == "4-4"]
    counts = {split: sum(p.split == split for p in performances) for split in SPLITS}
    if not counts[test_split] or not counts["train"]:
        raise KellyError(
            f"{path / TABLE}: set data.groove.test_split to 'test' or 'validation', whichever has performances; "
            f"found 4/4 performances by split {counts}, expected some in 'train' and in {test_split!r}"
        )
    renamed = {split: split for split in SPLITS} if test_split == "test" else {"train": "train", "validation": "test"}
    entries = [
        Entry(p.midi_filename, path / p.midi_filename, predefined_split=split, category=p.style.split("/")[0].strip())
        for p in performances
        if (split := renamed.get(p.split))
    ]
    facts = {
        "published_splits": counts,
        "test_split": test_split,
        "other_metres_left_out": len(listed) - len(performances),
        "test_performances_left_out": len(performances) - len(entries),
    }
    return Manifest(entries, facts=facts)


def read_info(path: Path) -> list[Any]:
    """Read info.csv of the folder `path`: named tuples of COLUMNS, sorted by midi_filename.

    Raises KellyError as `read_table` does, and with all errors of its rows: an id is missing or repeated, a split is
    unknown, a midi_filename is repeated or leaves the folder.
    """
    advice = f"set data.groove.path to the folder of the Groove MIDI Dataset that contains {TABLE}"
    table = read_table(path / TABLE, COLUMNS, advice)
    table.require_values("id")
    table.require_paths("midi_filename")
    table.require(table.rows["split"].isin(SPLITS), "split", f"one of {', '.join(SPLITS)}")
    table.require_unique("id", "midi_filename")
    table.raise_errors(DOWNLOAD_AGAIN)
    return list(table.rows.sort_values("midi_filename")[list(COLUMNS)].itertuples(index=False, name="Performance"))
