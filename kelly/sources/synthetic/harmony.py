"""Generative process for HarmonyPredictor: a Markov chain of chords whose transitions depend on the emotion.

The transitions are few and sharp, so that some ten thousand examples are enough to learn them.
"""

import numpy as np
from numpy.typing import NDArray

from kelly.data.dataset import Dataset
from kelly.features.emotion import NUM_COORDINATES, embed
from kelly.features.vocabulary import NO_CHORD, NUM_CHORDS
from kelly.sources.synthetic.process import Floats, sequences_of

NUM_ROOTED = 60  # chords with a root come first in the vocabulary; of the others only NO_CHORD is drawn
MAX_HISTORY = 8

# Preference for each rise of the root by 0..11 semitones: when bright, when dark, and what tension adds.
BRIGHT_STEP: Floats = np.array([-0.5, -1, 0.6, -0.3, -0.3, 1.8, -1.5, 0.9, 0.2, 0.6, 0.1, -1])
DARK_STEP: Floats = np.array([-0.5, 0.2, -1, 1.4, 1, -1, -0.6, 0.1, 1.6, -0.5, 0.8, -1])
TENSE_STEP: Floats = np.array([-0.6, 0.9, 0, 0.4, 0.4, 0, 1.2, 0, 0.4, 0, 0, 0.9])
# Qualities maj, min, 7, maj7, min7: what valence and arousal add to each.
VALENCE_QUALITY: Floats = np.array([1, -1, 0, 0.8, -0.8])
AROUSAL_QUALITY: Floats = np.array([0.2, 0.1, 1, -0.7, -0.4])
# The common diatonic triads and sevenths, as (root, quality).
IN_MAJOR = ((0, 0), (0, 3), (2, 1), (2, 4), (4, 1), (4, 4), (5, 0), (5, 3), (7, 0), (7, 2), (9, 1), (9, 4))
IN_MINOR = ((0, 1), (0, 4), (3, 0), (3, 3), (5, 1), (5, 4), (7, 1), (7, 2), (8, 0), (8, 3), (10, 0), (10, 2))


def generate(num_sequences: int, seed: int) -> Dataset:
    """Draw embedding and previous chords as inputs float32[num_sequences, 1, 128], the next chord as target.

    A row is a passage of constant emotion that begins with 0 to MAX_HISTORY chords drawn from the same process.
    """
    rng = np.random.default_rng(seed)
    coordinates = rng.uniform(-1, 1, (num_sequences, NUM_COORDINATES))
    length = rng.integers(0, MAX_HISTORY + 1, num_sequences)
    previous = np.full(num_sequences, NO_CHORD)
    history = np.zeros((num_sequences, NUM_CHORDS))  # 1 for the last chord, 0.5 for the one before, ...
    for step in range(MAX_HISTORY):
        active = length > step
        previous[active] = sample(rng, next_chord(coordinates[active], previous[active]))
        history[active] *= 0.5
        history[active, previous[active]] += 1.0
    probability = next_chord(coordinates, previous)
    inputs = np.concatenate([embed(coordinates), np.minimum(history, 1.0)], axis=1)
    sequences = sequences_of(inputs[:, None], sample(rng, probability)[:, None], probability[:, None])
    return Dataset(sequences, facts={"unit": "one frame is one change of chord"})


def next_chord(coordinates: Floats, previous: NDArray[np.int64]) -> Floats:
    """Probability [n, 64] of each next chord, from coordinates[n, 9] and the previous chord's index[n]."""
    from scipy.special import expit, softmax  # slow to import

    v, a = coordinates[:, 0, None], coordinates[:, 1, None]
    bright = expit(4 * v)
    chords = np.arange(NUM_ROOTED)
    root, quality = chords // 5, chords % 5
    step = (root - previous[:, None] // 5) % 12
    movement = 1.2 * (bright * BRIGHT_STEP[step] + (1 - bright) * DARK_STEP[step]) + 0.8 * a * TENSE_STEP[step]
    preference = np.where((previous == NO_CHORD)[:, None], 0.0, movement)
    preference = preference + 2 * (bright * indicator(IN_MAJOR) + (1 - bright) * indicator(IN_MINOR))
    preference += 1.2 * v * VALENCE_QUALITY[quality] + 0.8 * a * AROUSAL_QUALITY[quality]
    preference -= 2.0 * (chords == previous[:, None])
    silence = np.where(previous == NO_CHORD, -2.0, 0.0)[:, None]  # it has no root: only its repetition is penalized
    weights = softmax(3 * (1 - 0.25 * a) * np.concatenate([preference, silence], axis=1), axis=1)
    probability = np.zeros((len(coordinates), NUM_CHORDS))
    probability[:, :NUM_ROOTED], probability[:, NO_CHORD] = weights[:, :NUM_ROOTED], weights[:, NUM_ROOTED]
    return probability


def indicator(diatonic: tuple[tuple[int, int], ...]) -> Floats:
    """1 for each chord (root, quality) of a set, 0 for the others: float64[NUM_ROOTED]."""
    flags = np.zeros(NUM_ROOTED)
    flags[[5 * root + quality for root, quality in diatonic]] = 1.0
    return flags


def sample(rng: np.random.Generator, probability: Floats) -> NDArray[np.int64]:
    """Draw one index per row with the probabilities float64[n, k]."""
    edges = np.cumsum(probability, axis=1)
    return np.asarray((rng.random((len(probability), 1)) * edges[:, -1:] > edges).sum(axis=1))
