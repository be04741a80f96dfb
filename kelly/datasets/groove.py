"""Real drumming from a folder in the layout of the Groove MIDI Dataset: what was heard before a bar → how it is played.

Gillick, Roberts, Engel, Eck & Bamman, "Learning to Groove with Inverse Sequence Transformations", ICML 2019;
https://magenta.tensorflow.org/datasets/groove, CC BY 4.0.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from kelly.datasets.groove_table import SPLITS, read_info
from kelly.datasets.midi import read_midi
from kelly.datasets.performance import (
    DRUM_DYNAMICS,
    SIXTEENTHS,
    coordinates_of,
    drum_dynamics_of,
    groove_of,
    heard_coordinates,
    nearest,
)
from kelly.datasets.sequences import Dataset, Sequences
from kelly.datasets.skipped import Skipped, check_skipped, skip
from kelly.emotion import BLOCK_SIZE, COORDINATES, embed
from kelly.errors import KellyError

TestSplit = Literal["test", "validation"]

QUARTERS_PER_BAR = 4
MIN_HITS = 4  # a bar with fewer says too little about how it is played


@dataclass(frozen=True)
class Bars:
    """All bars of one performance, in order, from its first hit to its last.

    hits: int64[n]; coordinates: float64[n, 9]; groove: float64[n, 32]; dynamics: float64[n, 16]; NaN: not told
    """

    hits: NDArray[np.int64]
    coordinates: NDArray[np.float64]
    groove: NDArray[np.float64]
    dynamics: NDArray[np.float64]


def groove(path: Path | str, test_split: TestSplit, max_skipped_share: float) -> Dataset:
    """Rows for GroovePredictor: one 4/4 bar with at least MIN_HITS hits.

    inputs float32[n, 1, 64], the embedding of what was heard before the bar; targets float32[n, 1, 32], timing in half
    sixteenths and accents, each -1..1, masked where nothing was played; heard: the bar before, nan where it is silent.
    `test_split` names the published split to test on; see `official_side`.
    Raises KellyError where the layout is not met, no row stands in `test_split` or more than `max_skipped_share`
    (0..1) of the files cannot be used.
    """
    return _dataset(Path(path), test_split, max_skipped_share, lambda bars: bars.groove, 2 * BLOCK_SIZE)


def dynamics(path: Path | str, test_split: TestSplit, max_skipped_share: float) -> Dataset:
    """Rows for DynamicsEngine: one 4/4 bar with at least MIN_HITS hits.

    inputs float32[n, 1, 32], the valence block of what was heard before the bar; targets float32[n, 1, 16], the
    parameters DRUM_DYNAMICS, each 0..1, masked where the bar does not tell; heard: the bar before, nan where unknown.
    `test_split`, `max_skipped_share` and errors as for `groove`.
    """
    return _dataset(Path(path), test_split, max_skipped_share, lambda bars: bars.dynamics, BLOCK_SIZE)


def bars_of(path: Path) -> Bars:
    """Measure every bar of the performance in a MIDI file; a hit belongs to the sixteenth that it is nearest to.

    Raises KellyError where the file is unreadable, leaves 4/4 or begins a bar anew within one.
    """
    midi = read_midi(path)
    metres = {f"{top}/{bottom}" for top, bottom in midi.time_signatures[:, 1:].tolist()}
    if metres != {"4/4"}:
        found = ", ".join(sorted(metres)[:5])
        raise KellyError(f"{path}: time signatures {found}, expected 4/4 throughout")
    if (midi.time_signatures[:, 0] % (QUARTERS_PER_BAR * midi.ticks_per_quarter)).any():
        raise KellyError(f"{path}: a time signature within a bar, expected them at bar lines; leave the file out")
    notes = midi.notes
    sixteenths = notes.onset_quarters * (SIXTEENTHS / QUARTERS_PER_BAR)
    bar = nearest(sixteenths) // SIXTEENTHS
    numbers = np.arange(bar[0], bar[-1] + 1)
    starts, ends = np.searchsorted(bar, numbers), np.searchsorted(bar, numbers, side="right")
    edges_s = midi.seconds(np.append(numbers, numbers[-1] + 1) * QUARTERS_PER_BAR)
    bpm = midi.bpm(numbers * QUARTERS_PER_BAR)
    coordinates = np.full((len(numbers), len(COORDINATES)), np.nan)
    timing_and_accents = np.full((len(numbers), 2 * SIXTEENTHS), np.nan)
    expression = np.full((len(numbers), len(DRUM_DYNAMICS)), np.nan)
    for i in np.flatnonzero(ends > starts):
        hits = notes.take(np.arange(starts[i], ends[i]))
        within = sixteenths[starts[i] : ends[i]] - SIXTEENTHS * numbers[i]
        coordinates[i] = coordinates_of(hits, edges_s[i + 1] - edges_s[i], bpm[i])
        timing_and_accents[i] = groove_of(within, hits.velocity)
        expression[i] = drum_dynamics_of(hits, nearest(within))
    coordinates[:, COORDINATES.index("valence")] = 0.0  # drums have none
    return Bars(ends - starts, coordinates, timing_and_accents, expression)


def official_side(split: str, test_split: TestSplit) -> str | None:
    """The side that a published split takes: itself where `test_split` is 'test'.

    Where it is 'validation' those rows become the test, training and validation are drawn from 'train', and published
    'test' rows stay out (None).
    """
    if test_split == "test":
        return split
    return {"train": "train", "validation": "test"}.get(split)


def _dataset(
    path: Path,
    test_split: TestSplit,
    max_skipped_share: float,
    measure: Callable[[Bars], NDArray[np.float64]],
    size: int,
) -> Dataset:
    listed = read_info(path)
    performances = [p for p in listed if p.time_signature == "4-4"]
    found = {split: sum(p.split == split for p in performances) for split in SPLITS}
    if not found[test_split] or not found["train"]:
        raise KellyError(
            f"{path / 'info.csv'}: 4/4 performances by split {found}, expected some in 'train' and in {test_split!r}; "
            "set data.groove.test_split to one that exists, 'test' or 'validation'"
        )
    used = [p for p in performances if official_side(p.split, test_split)]
    parts: dict[str, list[NDArray[Any]]] = defaultdict(list)
    skipped: list[Skipped] = []
    duplicates: list[dict[str, str]] = []
    first_with: dict[bytes, str] = {}
    for p in tqdm(used, desc="groove", unit="file", disable=None):
        try:
            bars = bars_of(path / p.midi_filename)
        except KellyError as error:
            skipped.append(skip(p.midi_filename, path / p.midi_filename, error))
            continue
        # Version 1.0.0 holds one performance twice (drummer2/session2/7 and 8): twice over, it may fall on two sides.
        same_as = first_with.setdefault(bars.groove.tobytes() + bars.dynamics.tobytes(), p.midi_filename)
        if same_as != p.midi_filename:
            duplicates.append({"file": p.midi_filename, "same_as": same_as})
            continue
        values = measure(bars)
        before = np.concatenate([np.full_like(values[:1], np.nan), values[:-1]])
        rows = bars.hits >= MIN_HITS
        parts["inputs"].append(embed(heard_coordinates(bars.coordinates, bars.groove))[rows, :size])
        parts["targets"].append(values[rows])
        parts["heard"].append(before[rows])
        parts["official"].append(np.full(rows.sum(), official_side(p.split, test_split)))
        parts["groups"].append(np.full(rows.sum(), p.id))
        parts["category"].append(np.full(rows.sum(), p.style.split("/")[0].strip()))
    check_skipped(path, skipped, len(used), max_skipped_share)
    whole = {name: np.concatenate(part) for name, part in parts.items()}
    bars_by_side = Counter(whole["official"].tolist())
    if not bars_by_side["train"] or not bars_by_side["test"]:
        raise KellyError(
            f"{path}: bars of at least {MIN_HITS} hits by side {dict(bars_by_side)}, {len(skipped)} files skipped; "
            "expected bars to train on and to test on: mend the files or set data.groove.test_split to another split"
        )
    inputs, targets, heard = (whole[name][:, None].astype(np.float32) for name in ("inputs", "targets", "heard"))
    return Dataset(
        Sequences(
            inputs=inputs,
            targets=np.nan_to_num(targets),
            groups=whole["groups"],
            mask=np.isfinite(targets),
            official=whole["official"],
            heard=heard,
            category=whole["category"],
        ),
        facts={
            "files": len(used),
            "performances": len(first_with),
            "bars": dict(sorted(bars_by_side.items())),
            "published_splits": found,
            "test_split": test_split,
            "other_metres_left_out": len(listed) - len(performances),
            "test_performances_left_out": len(performances) - len(used),
            "duplicates_left_out": duplicates,
            "skipped": skipped,
        },
    )
