"""Generative process for DynamicsEngine: sixteen parameters, each a product of several coordinates, plus noise."""

import numpy as np

from kelly.data.dataset import Dataset
from kelly.features.emotion import BLOCK_SIZE, NUM_COORDINATES
from kelly.sources.synthetic.process import METRE, SIXTEENTH, clipped_mean, single_frames

NOISE = 0.06
DETAIL = np.where(SIXTEENTH == 0, 0.15, 1.0)  # the first parameter, the level, has little of it


def generate(num_sequences: int, seed: int) -> Dataset:
    """Draw valence blocks as inputs float32[num_sequences, 1, 32], expression as targets [..., 16] in 0..1."""
    from scipy.special import expit  # slow to import

    rng = np.random.default_rng(seed)
    coordinates = rng.uniform(-1, 1, (num_sequences, NUM_COORDINATES))
    v, a, _, articulation, loudness, spread, _, _, beat = coordinates.T[:, :, None]
    accent = 0.9 * METRE * (0.4 + 0.25 * (1 + beat) ** 2) * (1 + 0.5 * spread)
    wave = 0.9 * np.sin(np.pi * v * (1.5 * a + 0.5) + np.pi * SIXTEENTH / 8)
    touch = 0.7 * np.cos(0.8 * np.pi * (articulation - a) + np.pi * SIXTEENTH / 4)
    mean = expit(0.1 + 0.9 * a + 0.9 * loudness + accent + DETAIL * (wave + touch))
    targets = np.clip(mean + NOISE * rng.standard_normal(mean.shape), 0.0, 1.0)
    return single_frames(coordinates, BLOCK_SIZE, targets, clipped_mean(mean, NOISE, 0.0, 1.0))
