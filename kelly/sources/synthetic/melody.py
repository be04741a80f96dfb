"""Generative process for MelodyTransformer: notes that depend on an exponential mean of the past emotion."""

import numpy as np

from kelly.data.dataset import Dataset, Sequences
from kelly.features.emotion import embed, usual_coordinates
from kelly.sources.synthetic.process import STREAM_FRAMES, Floats, jump_process, sequences_of

HAZARD = 1 / 4  # probability per frame that the emotion is redrawn
MEMORY = 0.7  # weight of the previous mean in the exponential mean
# Log odds of each pitch class above the tonic, and what positive valence adds: major degrees up, minor degrees down.
PITCH_CLASS: Floats = np.array([1.5, -3.0, 0.3, 0.0, 0.0, 0.3, -2.5, 1.2, -0.5, -0.3, -0.5, -0.5])
BRIGHTNESS: Floats = np.array([0.0, 0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 1.0, -1.0, 1.0])


def generate(num_sequences: int, num_frames: int, seed: int) -> Dataset:
    """Draw embeddings as inputs float32[num_sequences, num_frames, 64] and sounding pitches as targets [..., 128]."""
    from scipy.special import expit  # slow to import

    rng = np.random.default_rng(seed)

    def draw(n: int, frames: int) -> Sequences:
        z = jump_process(rng, n, frames, HAZARD)
        recent = np.zeros_like(z)
        for t in range(frames):
            recent[:, t] = (MEMORY * recent[:, t - 1] if t else 0.0) + (1 - MEMORY) * z[:, t]
        probability = expit(note_log_odds(z[..., 1], recent))
        targets = (rng.random(probability.shape) < probability).astype(np.float32)
        return sequences_of(embed(usual_coordinates(z[..., 0], z[..., 1])), targets, probability)

    facts = {"unit": "one frame is one bar", "coordinates": "seven of the nine follow valence and arousal"}
    return Dataset(draw(num_sequences, num_frames), draw(1, STREAM_FRAMES), facts)


def note_log_odds(arousal: Floats, recent: Floats) -> Floats:
    """Log odds [..., 128] that each MIDI pitch sounds, given the current arousal[...] and the mean recent[..., 2]."""
    pitch = np.arange(128)
    v, a = np.tanh(2.5 * recent[..., 0, None]), np.tanh(2.0 * recent[..., 1, None])
    register = ((pitch - 62 - 18 * a) / (11 + 4 * a)) ** 2 / 2
    degree = PITCH_CLASS[pitch % 12] + 2.5 * v * BRIGHTNESS[pitch % 12]
    return np.asarray(np.maximum(-9.0, -0.5 + 0.9 * arousal[..., None] - register + degree))
