"""Generative process for GroovePredictor: timing and accents of a bar, products of coordinates, plus noise."""

import numpy as np

from kelly.data.dataset import Dataset
from kelly.features.emotion import EMBEDDING_SIZE, NUM_COORDINATES
from kelly.sources.synthetic.process import METRE, SIXTEENTH, clipped_mean, single_frames

NOISE = 0.08
LIMIT = 0.85  # of the noise-free mean, so that clipping is rare


def generate(num_sequences: int, seed: int) -> Dataset:
    """Draw embeddings as inputs float32[num_sequences, 1, 64], timing and accents as targets [..., 32] in -1..1."""
    rng = np.random.default_rng(seed)
    coordinates = rng.uniform(-1, 1, (num_sequences, NUM_COORDINATES))
    v, a, _, _, _, spread, push, swing, beat = coordinates.T[:, :, None]
    swung = np.where(SIXTEENTH % 4 == 2, 0.4 * (swing + 0.5 * np.sin(np.pi * v * a)), 0.0)
    offset = 0.35 * push + swung + 0.2 * np.sin(np.pi * (v + a * push) + np.pi * SIXTEENTH / 4)
    wave = np.sin(np.pi * v * (1.5 * a + 0.5) + np.pi * SIXTEENTH / 4)
    accent = 0.8 * np.tanh(METRE * (0.6 + beat) * (1 + 0.5 * spread) + wave)
    mean = np.clip(np.concatenate([offset, accent], axis=1), -LIMIT, LIMIT)
    targets = np.clip(mean + NOISE * rng.standard_normal(mean.shape), -1.0, 1.0)
    return single_frames(coordinates, EMBEDDING_SIZE, targets, clipped_mean(mean, NOISE, -1.0, 1.0))
