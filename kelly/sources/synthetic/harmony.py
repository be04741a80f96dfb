"""The law for HarmonyPredictor: chords that follow one another by a table that the emotion bends.

Few and sharp transitions, so that they can be learned from some ten thousand examples.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from kelly.data.dataset import Dataset
from kelly.features.emotion import NUM_COORDINATES, embed
from kelly.sources.synthetic.law import Floats, sequences_of

NUM_CHORDS = 64  # the vocabulary of kelly.sources.music.chords; the law uses its first 60 and no chord, the last
NO_CHORD = 63
MAX_HISTORY = 8

# How well the root may rise by 0..11 semitones: when bright, when dark, and what tension adds.
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
    """Draw embedding and chords so far as inputs float32[num_sequences, 1, 128], the next chord as target.

    A row is a passage of constant emotion in which 0 to MAX_HISTORY chords were already drawn from the same law.
    """
    rng = np.random.default_rng(seed)
    coordinates = rng.uniform(-1, 1, (num_sequences, NUM_COORDINATES))
    length = rng.integers(0, MAX_HISTORY + 1, num_sequences)
    previous = np.full(num_sequences, NO_CHORD)
    history = np.zeros((num_sequences, NUM_CHORDS))  # 1 for the last chord, 0.5 for the one before, ...
    for step in range(MAX_HISTORY):
        going = length > step
        previous[going] = pick(rng, next_chord(coordinates[going], previous[going]))
        history[going] *= 0.5
        history[going, previous[going]] += 1.0
    chance = next_chord(coordinates, previous)
    inputs = np.concatenate([embed(coordinates), np.minimum(history, 1.0)], axis=1)
    sequences = sequences_of(inputs[:, None], pick(rng, chance)[:, None], chance[:, None])
    return Dataset(sequences, facts={"unit": "one frame is one change of chord"})


def next_chord(coordinates: Floats, previous: NDArray[np.int64]) -> Floats:
    """Probability [n, 64] of each next chord, from coordinates[n, 9] and the previous chord's index[n]."""
    v, a = coordinates[:, 0, None], coordinates[:, 1, None]
    bright = expit(4 * v)
    chords = np.arange(60)
    root, quality = chords // 5, chords % 5
    step = (root - previous[:, None] // 5) % 12
    movement = 1.2 * (bright * BRIGHT_STEP[step] + (1 - bright) * DARK_STEP[step]) + 0.8 * a * TENSE_STEP[step]
    preference = np.where((previous == NO_CHORD)[:, None], 0.0, movement)
    preference = preference + 2 * (bright * member(IN_MAJOR) + (1 - bright) * member(IN_MINOR))
    preference += 1.2 * v * VALENCE_QUALITY[quality] + 0.8 * a * AROUSAL_QUALITY[quality]
    preference -= 2.0 * (chords == previous[:, None])
    silence = np.where(previous == NO_CHORD, -2.0, 0.0)[:, None]  # no chord has no root to move: only repeats count
    weights = softmax(3 * (1 - 0.25 * a) * np.concatenate([preference, silence], axis=1), axis=1)
    chance = np.zeros((len(coordinates), NUM_CHORDS))
    chance[:, :60], chance[:, NO_CHORD] = weights[:, :60], weights[:, 60]
    return chance


def member(diatonic: tuple[tuple[int, int], ...]) -> Floats:
    """1 for each of the 60 chords that is in a set, else 0."""
    flags = np.zeros(60)
    flags[[5 * root + quality for root, quality in diatonic]] = 1.0
    return flags


def pick(rng: np.random.Generator, chance: Floats) -> NDArray[np.int64]:
    """One index a row, drawn with the probabilities chance[n, k]."""
    edges = np.cumsum(chance, axis=1)
    return np.asarray((rng.random((len(chance), 1)) * edges[:, -1:] > edges).sum(axis=1))
