"""Which emotions a network learned from: what is outside is a guess of its, and an export says so."""

import numpy as np
from numpy.typing import NDArray

from kelly.data.dataset import Sequences
from kelly.features.emotion import BLOCK_SIZE, COORDINATES, decode_block
from kelly.tasks import Task

SHARE = 0.95  # of the frames
MAX_FRAMES = 200_000  # looked at, in whole sequences spread over all: 300 MB while they are decoded


def coordinates(task: Task, sequences: Sequences) -> NDArray[np.float64]:
    """The nine coordinates of each frame, float64[num_sequences, num_frames, 9], nan past the end of a sequence."""
    where, start, block = task.emotion
    values = (sequences.inputs if where == "inputs" else sequences.targets)[..., start : start + BLOCK_SIZE]
    total, weight = decode_block(np.asarray(values, dtype=np.float64), block)
    read: NDArray[np.float64] = total / weight
    if sequences.mask is not None:
        there = np.asarray(sequences.mask if sequences.mask.ndim == 2 else sequences.mask.any(axis=-1))
        read = np.where(there[..., None], read, np.nan)
    return read


def emotion_range(task: Task, train: Sequences) -> dict[str, list[float]]:
    """Between which values of valence, and of arousal, the middle SHARE of the frames lies; with three decimals."""
    step = -(-train.inputs.shape[0] * train.inputs.shape[1] // MAX_FRAMES)
    read = coordinates(task, train.take(slice(None, None, step))).reshape(-1, len(COORDINATES))
    ends = np.nanquantile(read[:, :2], [(1 - SHARE) / 2, (1 + SHARE) / 2], axis=0).clip(-1.0, 1.0)
    return {name: [round(float(end), 3) + 0.0 for end in ends[:, i]] for i, name in enumerate(COORDINATES[:2])}
