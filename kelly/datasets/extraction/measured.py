"""What one piece yields for one network: rows of numbers, and what tells it from other pieces."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly.datasets.extraction.augmentation import variations
from kelly.datasets.extraction.duplicates import signature
from kelly.datasets.layouts.listing import Entry, spread
from kelly.datasets.reading.midi import Midi, read_midi
from kelly.datasets.skipped import UnsuitedError

Rows = dict[str, NDArray[Any]]  # arrays of Sequences by name, each with one entry a sequence
Lesson = Callable[..., tuple[Rows, str]]  # (entry, midi, **settings) → rows, and a trait of the piece ('': none)


@dataclass(frozen=True)
class Measured:
    """The rows of one piece.

    category: a trait of the piece for the table reference; '': none
    signature: uint32[NUM_HASHES] of `duplicates.signature` or `sound_signature`; None: too few notes for one
    left_out: how many ratings have no sound
    """

    rows: Rows
    category: str = ""
    signature: NDArray[np.uint32] | None = None
    left_out: int = 0


def learn(lesson: Lesson, entry: Entry, midi: Midi, settings: Mapping[str, Any]) -> tuple[Rows, str]:
    """What a `lesson` takes from a piece. Raises UnsuitedError where that is nothing."""
    rows, category = lesson(entry, midi, **settings)
    if not len(rows["inputs"]):
        raise UnsuitedError(f"{entry.path}: no window with enough notes to learn from")
    return rows, category


def measure_notes(
    entry: Entry,
    *,
    lesson: Lesson,
    max_windows_per_piece: int | None,
    augmentation: Mapping[str, Any] | None,
    settings: Mapping[str, Any],
) -> Measured:
    """What a `lesson` takes from the notes of one MIDI file, and from variations of them.

    Raises KellyError where the file cannot be read, and UnsuitedError where the lesson cannot be learned from it.
    """
    midi = read_midi(entry.path)
    rows, category = learn(lesson, entry, midi, settings)
    rows = limited(rows, max_windows_per_piece)
    if augmentation is not None and augmentation["copies"]:
        parts = [rows | {"augmented": np.zeros(len(rows["inputs"]), dtype=np.bool_)}]
        for varied in variations(midi, entry.name, **augmentation):
            copy = limited(lesson(entry, varied, **settings)[0], max_windows_per_piece)
            parts.append(copy | {"augmented": np.ones(len(copy["inputs"]), dtype=np.bool_)})
        rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Measured(rows, entry.category or category, signature(midi.notes))


def cut(
    inputs: NDArray[np.float32], targets: NDArray[np.float32], heard: NDArray[np.float32] | None, num_frames: int
) -> Rows:
    """Cut the frames of one piece into sequences of num_frames; the last is masked past the piece's end.

    inputs float32[n, in], targets float32[n, out], heard as targets, of one piece from its start.
    """
    num_sequences = -(-len(targets) // num_frames)
    missing = ((0, num_sequences * num_frames - len(targets)), (0, 0))

    def folded(array: NDArray[Any]) -> NDArray[Any]:
        return array.reshape(num_sequences, num_frames, array.shape[1])

    rows = {
        # Past its end a piece stays as it was: a state that goes on from here is one that it could have left.
        "inputs": folded(np.pad(inputs, missing, mode="edge")),
        "targets": folded(np.pad(targets, missing)),
        "mask": folded(np.pad(np.ones(targets.shape, dtype=np.bool_), missing)),
    }
    return rows if heard is None else rows | {"heard": folded(np.pad(heard, missing))}


def single(inputs: NDArray[np.floating], targets: NDArray[np.floating], there: NDArray[np.bool_]) -> Rows:
    """One row a window for a network without memory, for the windows that are `there`.

    inputs [n, in]; targets [n, out], NaN where the window does not tell; there: bool[n]. Heard is the last value that
    any earlier window told, whether it is there or not.
    """
    last = np.maximum.accumulate(np.where(np.isfinite(targets), np.arange(len(targets))[:, None], -1), axis=0)
    heard = np.full_like(targets, np.nan)
    heard[1:] = np.where(last[:-1] < 0, np.nan, np.take_along_axis(targets, last[:-1].clip(min=0), axis=0))
    chosen = [array[there][:, None].astype(np.float32) for array in (inputs, targets, heard)]
    return {
        "inputs": chosen[0],
        "targets": np.nan_to_num(chosen[1]),
        "mask": np.isfinite(chosen[1]),
        "heard": chosen[2],
    }


def limited(rows: Rows, max_windows: int | None) -> Rows:
    """At most `max_windows` of the rows, spread evenly from the first to the last."""
    chosen = spread(len(rows["inputs"]), max_windows)
    if len(chosen) == len(rows["inputs"]):
        return rows
    return {name: array[chosen] for name, array in rows.items()}
