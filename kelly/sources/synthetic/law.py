"""What the laws share: a wandering emotion, the metre of a bar, and the mean of a clipped normal variable."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from kelly.data.dataset import Dataset, Sequences
from kelly.features.emotion import embed

Floats = NDArray[np.float64]

STREAM_FRAMES = 2_400  # of the one long sequence in which an LSTM's state is never reset

SIXTEENTH: Floats = np.arange(16.0)
# How strongly each sixteenth of a 4/4 bar is felt: down beat, middle, the other beats, off beats, the rest.
METRE: Floats = np.array([1.0, -0.6, -0.1, -0.6, 0.4, -0.6, -0.1, -0.6, 0.7, -0.6, -0.1, -0.6, 0.4, -0.6, -0.1, -0.6])


def wander(rng: np.random.Generator, num_sequences: int, num_frames: int, hazard: float) -> Floats:
    """An emotion [num_sequences, num_frames, 2], uniform in -1..1, drawn anew with probability `hazard` a frame."""
    z = rng.uniform(-1, 1, (num_sequences, num_frames, 2))
    jumps = rng.random((num_sequences, num_frames)) < hazard
    for t in range(1, num_frames):
        z[:, t] = np.where(jumps[:, t, None], z[:, t], z[:, t - 1])
    return z


def clipped_mean(mean: Floats, deviation: float, low: float, high: float) -> Floats:
    """Mean of a normal variable that was clipped to low..high (the doubly rectified normal distribution)."""
    below, above = (low - mean) / deviation, (high - mean) / deviation
    inside = ndtr(above) - ndtr(below)
    edges = low * ndtr(below) + high * ndtr(-above)
    density = [np.exp(-(x**2) / 2.0) / np.sqrt(2.0 * np.pi) for x in (below, above)]
    return np.asarray(mean * inside + deviation * (density[0] - density[1]) + edges)


def sequences_of(inputs: Floats, targets: NDArray[Any], oracle: Floats) -> Sequences:
    """Independent sequences, each a piece of its own; class targets stay int64, all else becomes float32."""
    classes = np.issubdtype(targets.dtype, np.integer)
    targets = targets.astype(np.int64) if classes else targets.astype(np.float32)
    names = np.array([f"{i:08d}" for i in range(len(inputs))])
    return Sequences(inputs.astype(np.float32), targets, names, oracle=oracle.astype(np.float32))


def single_frames(coordinates: Floats, num_inputs: int, targets: Floats, oracle: Floats) -> Dataset:
    """Examples whose input is the head of the embedding of their nine coordinates."""
    inputs = embed(coordinates)[:, None, :num_inputs]
    return Dataset(sequences_of(inputs, targets[:, None], oracle[:, None]), facts={"unit": "one frame is one bar"})
