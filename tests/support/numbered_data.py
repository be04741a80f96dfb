"""Sequences whose inputs are their row and frame, and how batches arrange them."""

import numpy as np
import torch
from numpy.typing import NDArray

from kelly.data.dataset import Sequences
from kelly.training.batches import Chunk


def numbered_data(n: int, num_frames: int = 3, lengths: NDArray[np.intp] | None = None) -> Sequences:
    """Sequences whose inputs are their row and frame."""
    rows, frames = np.meshgrid(np.arange(n), np.arange(num_frames), indexing="ij")
    inputs = np.stack([rows, frames], axis=-1).astype(np.float32)
    mask = None if lengths is None else np.arange(num_frames) < lengths[:, None]
    return Sequences(inputs, np.zeros((n, num_frames), dtype=np.int64), np.array([str(i) for i in range(n)]), mask)


def batch_frames(chunk: Chunk) -> list[list[tuple[int, int]]]:
    """Row and frame of the packed frames of each batch."""
    batches = torch.split(chunk.inputs, chunk.num_frames)
    return [[(int(row), int(frame)) for row, frame in batch.tolist()] for batch in batches]
