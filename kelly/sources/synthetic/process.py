"""Shared by the generative processes: a piecewise constant emotion, the metre of a bar, a clipped normal's mean."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kelly.data.dataset import Dataset, Sequences
from kelly.features.emotion import embed

Floats = NDArray[np.float64]

STREAM_FRAMES = 2_400  # of the one long sequence in which an LSTM's state is never reset

SIXTEENTH: Floats = np.arange(16.0)
# Metrical weight of each sixteenth of a 4/4 bar: downbeat, third beat, the other beats, offbeats, the rest.
METRE: Floats = np.array([1.0, -0.6, -0.1, -0.6, 0.4, -0.6, -0.1, -0.6, 0.7, -0.6, -0.1, -0.6, 0.4, -0.6, -0.1, -0.6])


def jump_process(rng: np.random.Generator, num_sequences: int, num_frames: int, hazard: float) -> Floats:
    """Draw an emotion [num_sequences, num_frames, 2], uniform in -1..1, redrawn with probability `hazard` per frame."""
    z = rng.uniform(-1, 1, (num_sequences, num_frames, 2))
    jumps = rng.random((num_sequences, num_frames)) < hazard
    for t in range(1, num_frames):
        z[:, t] = np.where(jumps[:, t, None], z[:, t], z[:, t - 1])
    return z


def clipped_mean(mean: Floats, deviation: float, low: float, high: float) -> Floats:
    """Mean of a normal variable clipped to low..high (the doubly rectified normal distribution)."""
    from scipy.special import ndtr  # slow to import

    below, above = (low - mean) / deviation, (high - mean) / deviation
    inside = ndtr(above) - ndtr(below)
    edges = low * ndtr(below) + high * ndtr(-above)
    density = [np.exp(-(x**2) / 2.0) / np.sqrt(2.0 * np.pi) for x in (below, above)]
    return np.asarray(mean * inside + deviation * (density[0] - density[1]) + edges)


def sequences_of(inputs: Floats, targets: NDArray[Any], oracle: Floats) -> Sequences:
    """Independent sequences, each a group of its own; class targets are int64, all else is float32."""
    is_class = np.issubdtype(targets.dtype, np.integer)
    targets = targets.astype(np.int64) if is_class else targets.astype(np.float32)
    names = np.array([f"{i:08d}" for i in range(len(inputs))])
    return Sequences(inputs.astype(np.float32), targets, names, oracle=oracle.astype(np.float32))


def single_frames(coordinates: Floats, num_inputs: int, targets: Floats, oracle: Floats) -> Dataset:
    """One frame per sequence; its input is the first `num_inputs` values of the embedding of its nine coordinates."""
    inputs = embed(coordinates)[:, None, :num_inputs]
    return Dataset(sequences_of(inputs, targets[:, None], oracle[:, None]), facts={"unit": "one frame is one bar"})
