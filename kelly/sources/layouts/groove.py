"""Real drumming from a folder in the layout of the Groove MIDI Dataset.

Gillick, Roberts, Engel, Eck & Bamman, "Learning to Groove with Inverse Sequence Transformations", ICML 2019;
https://magenta.tensorflow.org/datasets/groove, CC BY 4.0.
"""

from pathlib import Path
from typing import Literal

from kelly.runtime.errors import KellyError
from kelly.sources.layouts.groove_table import SPLITS, read_info
from kelly.sources.layouts.listing import Entry, Listing

TestSplit = Literal["test", "validation"]


def list_pieces(path: Path, test_split: TestSplit) -> Listing:
    """List the performances in 4/4, each with its published side and style.

    test_split: the published split to test on; see `official_side`. Raises KellyError where the layout is not met or
    no performance stands in 'train' or in `test_split`.
    """
    listed = read_info(path)
    performances = [p for p in listed if p.time_signature == "4-4"]
    found = {split: sum(p.split == split for p in performances) for split in SPLITS}
    if not found[test_split] or not found["train"]:
        raise KellyError(
            f"{path / 'info.csv'}: 4/4 performances by split {found}, expected some in 'train' and in {test_split!r}; "
            "set data.groove.test_split to one that exists, 'test' or 'validation'"
        )
    entries = [
        Entry(
            name=p.midi_filename,
            path=path / p.midi_filename,
            predefined_split=side,
            category=p.style.split("/")[0].strip(),
        )
        for p in performances
        if (side := official_side(p.split, test_split)) is not None
    ]
    facts = {
        "published_splits": found,
        "test_split": test_split,
        "other_metres_left_out": len(listed) - len(performances),
        "test_performances_left_out": len(performances) - len(entries),
    }
    return Listing(entries, facts=facts)


def official_side(split: str, test_split: TestSplit) -> str | None:
    """The side that a published split takes: itself where `test_split` is 'test'.

    Where it is 'validation' those rows become the test, training and validation are drawn from 'train', and published
    'test' rows stay out (None).
    """
    if test_split == "test":
        return split
    return {"train": "train", "validation": "test"}.get(split)
