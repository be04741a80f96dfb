"""Train, validation and test: by seed, whole pieces only, a published split where the data set has one."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly.data.dataset import Dataset, Sequences, load_array
from kelly.runtime.atomic import replacing
from kelly.runtime.errors import KellyError

SPLITS = ("train", "validation", "test")
Indices = NDArray[np.intp]  # rows of a data set


def split_dataset(dataset: Dataset, seed: int, validation_split: float, test_split: float) -> dict[str, Indices]:
    """The indices of each of SPLITS, ascending.

    validation_split: share (0..1) of the pieces that are not test; test_split: share of all pieces. A published split
    replaces either.
    Raises KellyError where a split would be empty, or a piece would be in two.
    """
    sequences, groups = dataset.sequences, dataset.sequences.groups
    if sequences.predefined_split is None:
        names = np.full(len(groups), "train", dtype="<U10")
    else:
        names = np.array(sequences.predefined_split, dtype="<U10")
    rng = np.random.default_rng(seed)
    for split, share in (("test", test_split), ("validation", validation_split)):
        if (names == split).any():
            continue
        pieces = np.unique(groups[names == "train"])
        count = round(share * len(pieces))
        if not 0 < count < len(pieces):
            raise KellyError(
                f"{len(pieces)} piece(s) cannot be split with {split}_split {share}: {count} of them would be {split}, "
                f"and every split needs one; add pieces or change {split}_split"
            )
        chosen = rng.permutation(pieces)[:count]
        names[(names == "train") & np.isin(groups, chosen)] = split
    if sequences.augmented is not None:  # variations of a test piece would be no further evidence
        names[(names != "train") & sequences.augmented] = ""
    indices = {split: np.flatnonzero(names == split) for split in SPLITS}
    check_no_leak(sequences, indices)
    return indices


def check_no_leak(sequences: Sequences, indices: Mapping[str, Indices]) -> None:
    """Raise KellyError where a piece, or two pieces with the same content, are in two splits, or a split is empty."""
    split_of: dict[str, str] = {}
    content: dict[bytes, tuple[str, str]] = {}
    for split, rows in indices.items():
        if not len(rows):
            raise KellyError(f"the {split} split is empty; add pieces or change {split}_split")
        pieces: dict[str, list[int]] = {}
        for row in rows:
            pieces.setdefault(str(sequences.groups[row]), []).append(row)
        for piece, members in pieces.items():
            if split_of.setdefault(piece, split) != split:
                raise KellyError(f"piece {piece!r} is in {split_of[piece]} and in {split}; a piece must not be divided")
            digest = hashlib.sha256(sequences.inputs[members].tobytes() + sequences.targets[members].tobytes())
            other, other_split = content.setdefault(digest.digest(), (piece, split))
            if other_split != split:
                raise KellyError(
                    f"piece {piece!r} in {split} has the same content as {other!r} in {other_split}; "
                    "give both one group in their source, or remove one"
                )


def save_indices(folder: Path, indices: Mapping[str, Indices]) -> None:
    """Write the indices of each split as `<folder>/<split>.npy`."""
    for split, rows in indices.items():
        with replacing(folder / f"{split}.npy") as temporary:
            np.save(temporary, rows)


def load_indices(folder: Path) -> dict[str, Indices]:
    """Read what `save_indices` wrote. Raises KellyError where a split is missing."""
    return {split: load_array(folder / f"{split}.npy", f"split@{folder.name}") for split in SPLITS}


@dataclass(frozen=True)
class SplitView:
    """One split of a data set, read from disk slice by slice.

    indices: of the data set; input_indices: where the inputs are taken from
    """

    sequences: Sequences
    indices: Indices
    input_indices: Indices

    def __len__(self) -> int:
        return len(self.indices)

    def take(self, rows: slice) -> Sequences:
        """Some of its sequences, in memory."""
        sequences = self.sequences.take(self.indices[rows])
        if self.input_indices is self.indices:
            return sequences
        return replace(sequences, inputs=self.sequences.inputs[self.input_indices[rows]])


def view_splits(
    dataset: Dataset, indices: Mapping[str, Indices], shuffle_seed: int | None = None
) -> dict[str, SplitView]:
    """A view of each split; nothing is read yet.

    shuffle_seed: a control; within each split every sequence gets the inputs of another, so that nothing but the mean
    can be learned. None: off.
    """
    rng = None if shuffle_seed is None else np.random.default_rng(shuffle_seed)
    return {
        split: SplitView(dataset.sequences, rows, rows if rng is None else rng.permutation(rows))
        for split, rows in indices.items()
    }


def take_splits(
    dataset: Dataset, indices: Mapping[str, Indices], shuffle_seed: int | None = None
) -> dict[str, Sequences]:
    """The sequences of each split in memory, and 'stream': one long row in which an LSTM's state is never reset.

    shuffle_seed: as in `view_splits`; in the stream the frames are shuffled.
    """
    splits = {name: view.take(slice(None)) for name, view in view_splits(dataset, indices, shuffle_seed).items()}
    splits["stream"] = dataset.stream or as_stream(splits["test"])
    if shuffle_seed is not None:
        rng = np.random.default_rng([shuffle_seed, 1])
        splits["stream"] = replace(splits["stream"], inputs=rng.permutation(splits["stream"].inputs, axis=1))
    return splits


def as_stream(sequences: Sequences) -> Sequences:
    """All sequences one after another in one row, as a plugin would receive them, without frames past a piece's end."""
    valid: NDArray[np.bool_] = np.ones(sequences.inputs.shape[:2], dtype=bool)
    if sequences.mask is not None:
        valid = np.asarray(sequences.mask if sequences.mask.ndim == 2 else sequences.mask.any(axis=-1))
    arrays = {
        name: array[valid][None]
        for name in ("inputs", "targets", "mask", "oracle", "previous")
        if (array := getattr(sequences, name)) is not None
    }
    return Sequences(**arrays, groups=np.array(["stream"]))
