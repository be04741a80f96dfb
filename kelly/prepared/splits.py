"""Train, validation and test: by seed, whole pieces only, a data set's official split where it has one."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly.prepared.sequences import Dataset, Sequences
from kelly.safety.atomic import replacing
from kelly.safety.errors import KellyError

SIDES = ("train", "validation", "test")
Rows = NDArray[np.intp]


def split(dataset: Dataset, seed: int, validation_split: float, test_split: float) -> dict[str, Rows]:
    """Divide a data set: the rows of each of SIDES, in ascending order.

    validation_split: share (0..1) of the pieces that are not test; test_split: share of all pieces. An official split
    of the set takes the place of either.
    Raises KellyError where a side would be empty, or where a piece stands on two sides.
    """
    sequences = dataset.sequences
    sides = assign(sequences.groups, sequences.official, seed, validation_split, test_split)
    if sequences.augmented is not None:  # variations of what is tested on would tell nothing new
        sides[(sides != "train") & sequences.augmented] = ""
    rows = {side: np.flatnonzero(sides == side) for side in SIDES}
    check_no_leak(sequences, rows)
    return rows


def assign(
    groups: NDArray[np.str_],
    official: NDArray[np.str_] | None,
    seed: int,
    validation_split: float,
    test_split: float,
) -> NDArray[np.str_]:
    """The side of each sequence, str[num_sequences]; sequences of one group share a side."""
    sides = np.full(len(groups), "train", dtype="<U10") if official is None else np.array(official, dtype="<U10")
    rng = np.random.default_rng(seed)
    for side, share in (("test", test_split), ("validation", validation_split)):
        if (sides == side).any():
            continue
        pieces = np.unique(groups[sides == "train"])
        count = round(share * len(pieces))
        if not 0 < count < len(pieces):
            raise KellyError(
                f"{len(pieces)} piece(s) cannot be divided with {side}_split {share}: {count} of them would be {side}, "
                f"and every side needs one; add pieces or change {side}_split"
            )
        chosen = rng.permutation(pieces)[:count]
        sides[(sides == "train") & np.isin(groups, chosen)] = side
    return sides


def check_no_leak(sequences: Sequences, rows: dict[str, Rows]) -> None:
    """Raise KellyError where a piece, or two pieces with the same content, stand on two sides, or a side is empty."""
    owner: dict[str, str] = {}
    content: dict[bytes, tuple[str, str]] = {}
    for side, chosen in rows.items():
        if not len(chosen):
            raise KellyError(f"the {side} side is empty; add pieces or change {side}_split")
        pieces: dict[str, list[int]] = {}
        for row in chosen:
            pieces.setdefault(str(sequences.groups[row]), []).append(row)
        for piece, members in pieces.items():
            if owner.setdefault(piece, side) != side:
                raise KellyError(f"piece {piece!r} stands in {owner[piece]} and in {side}; a piece must not be cut")
            whole = hashlib.sha256(sequences.inputs[members].tobytes() + sequences.targets[members].tobytes())
            other, other_side = content.setdefault(whole.digest(), (piece, side))
            if other_side != side:
                raise KellyError(
                    f"piece {piece!r} in {side} has the same content as {other!r} in {other_side}; "
                    "give both one group in their source, or remove one"
                )


def save(folder: Path, rows: dict[str, Rows]) -> None:
    """Write the rows of each side as `<folder>/<side>.npy`."""
    for side, chosen in rows.items():
        with replacing(folder / f"{side}.npy") as temporary:
            np.save(temporary, chosen)


def load(folder: Path) -> dict[str, Rows]:
    """Read what `save` wrote. Raises KellyError where a side is missing."""
    rows = {}
    for side in SIDES:
        path = folder / f"{side}.npy"
        if not path.exists():
            raise KellyError(f"{path} is missing; divide the data first: dvc repro split@{folder.name}")
        try:
            rows[side] = np.load(path, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise KellyError(
                f"{path} is not a readable .npy array ({error}); divide again: dvc repro -f split@{folder.name}"
            ) from None
    return rows


@dataclass(frozen=True)
class Side:
    """Some sequences of a data set, read from the disk as they are asked for.

    rows: of the data set; input_rows: where their inputs are taken from
    """

    sequences: Sequences
    rows: Rows
    input_rows: Rows

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, part: slice) -> Sequences:
        """A part of them, in memory."""
        own = self.sequences.take(self.rows[part])
        if self.input_rows is self.rows:
            return own
        return replace(own, inputs=self.sequences.inputs[self.input_rows[part]])


def sides(dataset: Dataset, rows: dict[str, Rows], shuffle_inputs_seed: int | None = None) -> dict[str, Side]:
    """Each of SIDES, nothing read yet.

    shuffle_inputs_seed: a control; within each side, every sequence gets the inputs of another, so that nothing but
    the average can be learned.
    """
    rng = None if shuffle_inputs_seed is None else np.random.default_rng(shuffle_inputs_seed)
    return {
        side: Side(dataset.sequences, chosen, chosen if rng is None else rng.permutation(chosen))
        for side, chosen in rows.items()
    }


def divide(dataset: Dataset, rows: dict[str, Rows], shuffle_inputs_seed: int | None = None) -> dict[str, Sequences]:
    """The sequences of each side, read, and 'stream': one long row in which an LSTM's state is never reset.

    shuffle_inputs_seed: as in `sides`; in the stream the frames are shuffled.
    """
    parts = {name: side.take(slice(None)) for name, side in sides(dataset, rows, shuffle_inputs_seed).items()}
    parts["stream"] = dataset.stream or one_row(parts["test"])
    if shuffle_inputs_seed is not None:
        rng = np.random.default_rng([shuffle_inputs_seed, 1])
        parts["stream"] = replace(parts["stream"], inputs=rng.permutation(parts["stream"].inputs, axis=1))
    return parts


def one_row(part: Sequences) -> Sequences:
    """All sequences one after another, as a plugin would hear them, in one row; frames past a piece's end left out."""
    there: NDArray[np.bool_] = np.ones(part.inputs.shape[:2], dtype=bool)
    if part.mask is not None:
        there = np.asarray(part.mask if part.mask.ndim == 2 else part.mask.any(axis=-1))
    whole = {
        name: array[there][None]
        for name in ("inputs", "targets", "mask", "oracle", "heard")
        if (array := getattr(part, name)) is not None
    }
    return Sequences(**whole, groups=np.array(["stream"]))
