"""The rows of numbers that one piece gives: its frames cut into sequences, or one row a window."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly.sources.layouts.listing import spread

Examples = dict[str, NDArray[Any]]  # arrays of Sequences by name, each with one entry a sequence


def cut(
    inputs: NDArray[np.float32], targets: NDArray[np.float32], heard: NDArray[np.float32] | None, num_frames: int
) -> Examples:
    """Cut the frames of one piece into sequences of num_frames; the last is masked past the piece's end.

    inputs float32[n, in], targets float32[n, out], heard as targets, of one piece from its start.
    """
    num_sequences = -(-len(targets) // num_frames)

    def folded(array: NDArray[Any], last: NDArray[Any] | int = 0) -> NDArray[Any]:
        whole = np.empty((num_sequences * num_frames, array.shape[1]), array.dtype)
        whole[: len(array)], whole[len(array) :] = array, last
        return whole.reshape(num_sequences, num_frames, array.shape[1])

    rows = {
        # Past its end a piece stays as it was; nothing is learned or scored there.
        "inputs": folded(inputs, last=inputs[-1]),
        "targets": folded(targets),
        "mask": folded(np.ones(targets.shape, dtype=np.bool_)),
    }
    return rows if heard is None else rows | {"previous": folded(heard)}


def single(inputs: NDArray[np.floating], targets: NDArray[np.floating], there: NDArray[np.bool_]) -> Examples:
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
        "previous": chosen[2],
    }


def limited(rows: Examples, max_windows: int | None) -> Examples:
    """At most `max_windows` of the rows, spread evenly from the first to the last."""
    chosen = spread(len(rows["inputs"]), max_windows)
    if len(chosen) == len(rows["inputs"]):
        return rows
    return {name: array[chosen] for name, array in rows.items()}
