"""MAESTRO v3.0.0: performances at a piano competition, played on a piano that records itself.

Hawthorne et al., "Enabling Factorized Piano Music Modeling and Generation with the MAESTRO Dataset", ICLR 2019;
https://magenta.tensorflow.org/datasets/maestro, CC BY-NC-SA 4.0.
"""

from collections import Counter, defaultdict
from pathlib import Path

from kelly.sources.layouts.groove_table import SPLITS
from kelly.sources.layouts.listing import Entry, Listing
from kelly.sources.layouts.tables import file_in, read_table, repeated, shown, tell_faults

TABLE = "maestro-v3.0.0.csv"
COLUMNS = ("canonical_composer", "canonical_title", "split", "midi_filename")  # the ones that are read


def list_pieces(path: Path) -> Listing:
    """List the performances of the folder `path`; those of one work, by composer and title, are one group.

    A missing file is unusable, and so is a performance whose work stands on a later side too (train, validation,
    test): a network that hears the work in training would know it in the test.
    Raises KellyError where the table is missing or, with all that is wrong at once, it lacks a composer, a title or a
    split, lists a file twice or a file outside the folder.
    """
    table = path / TABLE
    advice = f"expected MAESTRO v3.0.0 unpacked in {path}, set its path to the folder that holds {TABLE}"
    wrong: list[str] = []
    entries, unusable = [], []
    sides: defaultdict[str, set[str]] = defaultdict(set)
    for line, row in read_table(table, COLUMNS, wrong, advice):
        name = file_in(row, "midi_filename", line, wrong)
        wrong += [f"line {line}: no {column}, expected one" for column in COLUMNS[:2] if not row[column]]
        if row["split"] not in SPLITS:
            wrong.append(f"line {line}: split {shown(row['split'])}, expected one of {', '.join(SPLITS)}")
        # The same title is spelt with other capitals and spaces from year to year.
        work = " ".join(f"{row['canonical_composer']}: {row['canonical_title']}".casefold().split())
        sides[work].add(row["split"])
        entries.append(Entry(name, path / name, group=work, predefined_split=row["split"]))
    wrong += repeated("midi_filename", (entry.name for entry in entries))
    if not entries and not wrong:
        wrong.append("no rows, expected one a performance")
    tell_faults(table, wrong, "mend them or unpack the data set anew")
    listed = []
    for entry in sorted(entries, key=lambda entry: entry.name):
        last = max(sides[entry.group], key=SPLITS.index)
        if entry.predefined_split != last:
            reason = (
                f"its work stands in {entry.predefined_split} and in {last}, expected one side; only {last} uses it"
            )
            unusable.append({"file": entry.name, "reason": reason})
        elif not entry.path.is_file():
            unusable.append({"file": entry.name, "reason": "missing, expected where the table says; unpack it anew"})
        else:
            listed.append(entry)
    performances = Counter(entry.predefined_split for entry in listed)
    return Listing(
        listed,
        unusable,
        {
            "performances": {split: performances[split] for split in SPLITS},
            "works": len({entry.group for entry in listed}),
        },
    )
