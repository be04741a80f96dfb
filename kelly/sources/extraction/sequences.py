"""The examples of one piece as arrays of Sequences: frames cut into sequences, or one frame per window."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly.sources.layouts.manifest import evenly_spaced

Examples = dict[str, NDArray[Any]]  # arrays of Sequences by name, all of the same length


def split_into_sequences(
    inputs: NDArray[np.float32], targets: NDArray[np.float32], previous: NDArray[np.float32] | None, num_frames: int
) -> Examples:
    """Cut the frames of one piece into sequences of num_frames; the last is masked past the piece's end.

    inputs float32[n, in], targets float32[n, out], previous as targets, of one piece from its start.
    """
    num_sequences = -(-len(targets) // num_frames)

    def padded(array: NDArray[Any], value: NDArray[Any] | int = 0) -> NDArray[Any]:
        frames = np.empty((num_sequences * num_frames, array.shape[1]), array.dtype)
        frames[: len(array)], frames[len(array) :] = array, value
        return frames.reshape(num_sequences, num_frames, array.shape[1])

    examples = {
        "inputs": padded(inputs, inputs[-1]),
        "targets": padded(targets),
        "mask": padded(np.ones(targets.shape, dtype=np.bool_)),
    }
    return examples if previous is None else examples | {"previous": padded(previous)}


def single_frames(inputs: NDArray[np.floating], targets: NDArray[np.floating], valid: NDArray[np.bool_]) -> Examples:
    """One sequence of one frame per valid window, for a network without memory.

    inputs [n, in]; targets [n, out], NaN where the window has no value; valid: bool[n]. `previous` is the last value in
    any earlier window, valid or not.
    """
    last = np.maximum.accumulate(np.where(np.isfinite(targets), np.arange(len(targets))[:, None], -1), axis=0)
    previous = np.full_like(targets, np.nan)
    previous[1:] = np.where(last[:-1] < 0, np.nan, np.take_along_axis(targets, last[:-1].clip(min=0), axis=0))
    inputs, targets, previous = (a[valid][:, None].astype(np.float32) for a in (inputs, targets, previous))
    return {"inputs": inputs, "targets": np.nan_to_num(targets), "mask": np.isfinite(targets), "previous": previous}


def limit_windows(examples: Examples, max_windows: int | None) -> Examples:
    """At most `max_windows` of the examples, evenly spaced from the first to the last."""
    chosen = evenly_spaced(len(examples["inputs"]), max_windows)
    if len(chosen) == len(examples["inputs"]):
        return examples
    return {name: array[chosen] for name, array in examples.items()}
