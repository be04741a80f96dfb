"""The range of emotions that a network was trained on; outside it the network extrapolates, and its export says so."""

import numpy as np
from numpy.typing import NDArray

from kelly.data.dataset import Sequences
from kelly.features.emotion import BLOCK_SIZE, COORDINATES, decode_block
from kelly.tasks import Task

COVERAGE = 0.95  # share of the frames within the range
MAX_FRAMES = 200_000  # in whole sequences spread over the data: 300 MB while they are decoded


def coordinates(task: Task, sequences: Sequences) -> NDArray[np.float64]:
    """The nine coordinates of each frame, float64[num_sequences, num_frames, 9], nan past the end of a sequence."""
    array, start, block = task.emotion
    values = (sequences.inputs if array == "inputs" else sequences.targets)[..., start : start + BLOCK_SIZE]
    total, weight = decode_block(np.asarray(values, dtype=np.float64), block)
    decoded: NDArray[np.float64] = total / weight
    if sequences.mask is not None:
        valid = np.asarray(sequences.mask if sequences.mask.ndim == 2 else sequences.mask.any(axis=-1))
        decoded = np.where(valid[..., None], decoded, np.nan)
    return decoded


def emotion_range(task: Task, train: Sequences) -> dict[str, list[float]]:
    """The interval of valence, and of arousal, that the middle COVERAGE of the frames is in; with three decimals."""
    step = -(-train.inputs.shape[0] * train.inputs.shape[1] // MAX_FRAMES)
    decoded = coordinates(task, train.take(slice(None, None, step))).reshape(-1, len(COORDINATES))
    ends = np.nanquantile(decoded[:, :2], [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2], axis=0).clip(-1.0, 1.0)
    return {name: [round(float(end), 3) + 0.0 for end in ends[:, i]] for i, name in enumerate(COORDINATES[:2])}
