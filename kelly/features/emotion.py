"""The emotion embedding: 64 numbers, either half of which encodes all nine coordinates, each in -1..1.

`[0:32]` is the valence block, `[32:64]` the arousal block. A block is 16 pairs of units. Pair `p` has a centre `c_p`
and encodes one further coordinate `q`: `tanh(GAIN·(x − c_p) ± LEAN·q)`, where `x` is the block's main coordinate
and `q` runs twice through the eight others. The terms `±LEAN·q` cancel in the mean of a block, which rises with the
main coordinate: the plugin's audio thread reads that mean. The layout is specified in docs/contract.md.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

COORDINATES = ("valence", "arousal", "register", "articulation", "loudness", "spread", "push", "swing", "beat")
NUM_COORDINATES = len(COORDINATES)
NUM_PAIRS = 16  # per block
BLOCK_SIZE = 2 * NUM_PAIRS
EMBEDDING_SIZE = 2 * BLOCK_SIZE

GAIN = 1.5
LEAN = 0.75
CENTRES: NDArray[np.float64] = np.linspace(-1.0, 1.0, NUM_PAIRS)

# Index of the further coordinate of each pair: all others in order, twice. Row 0: valence block, row 1: arousal block.
LEANS_WITH: NDArray[np.intp] = np.array(
    [[[i for i in range(NUM_COORDINATES) if i != block][pair % 8] for pair in range(NUM_PAIRS)] for block in (0, 1)]
)

# Typical coordinates where only valence and arousal are known (a rating, a user's choice): rows follow COORDINATES[2:],
# columns are the weights of valence and arousal. Signs after Eerola, Friberg & Bresin, "Emotional expression in
# music", Frontiers in Psychology 4:487 (2013); the magnitudes are this project's choice and part of the contract.
USUAL: NDArray[np.float64] = np.array(
    [
        [0.3, -0.1],  # register
        [0.1, -0.5],  # articulation
        [0.0, 0.7],  # loudness
        [-0.1, 0.4],  # spread
        [0.0, -0.2],  # push
        [0.3, 0.0],  # swing
        [0.0, 0.4],  # beat
    ]
)


def embed(coordinates: ArrayLike) -> NDArray[np.float64]:
    """Embed coordinates[..., 9] (order of COORDINATES, clipped to -1..1) as float64[..., 64], each in -1..1."""
    c = np.clip(np.asarray(coordinates, dtype=np.float64), -1.0, 1.0)
    if c.shape[-1:] != (NUM_COORDINATES,):
        raise ValueError(f"coordinates have shape {c.shape}, expected (..., {NUM_COORDINATES})")
    blocks = []
    for block in (0, 1):
        x = GAIN * (c[..., block, None] - CENTRES)
        q = LEAN * c[..., LEANS_WITH[block]]
        blocks.append(np.stack([np.tanh(x + q), np.tanh(x - q)], axis=-1).reshape(*c.shape[:-1], BLOCK_SIZE))
    return np.concatenate(blocks, axis=-1)


def decode(embedding: ArrayLike) -> NDArray[np.float64]:
    """Decode embedding[..., 64] to coordinates float64[..., 9], clipped to -1..1: the inverse of `embed`.

    Exact on embeddings. On a network's output the estimates of one coordinate differ; their mean is weighted by the
    distance of their two units from saturation, since the error of atanh(e) grows as 1 / (1 − e²).
    """
    e = np.asarray(embedding, dtype=np.float64)
    if e.shape[-1:] != (EMBEDDING_SIZE,):
        raise ValueError(f"embedding has shape {e.shape}, expected (..., {EMBEDDING_SIZE})")
    total_v, weight_v = decode_block(e[..., :BLOCK_SIZE], 0)
    total_a, weight_a = decode_block(e[..., BLOCK_SIZE:], 1)
    return np.clip((total_v + total_a) / (weight_v + weight_a), -1.0, 1.0)


def decode_block(block: NDArray[np.float64], main: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted sum of one block's estimates of each coordinate, and the sum of the weights, both float64[..., 9].

    block: [..., 32]; main: 0 for the valence block, 1 for the arousal block. Sum / weight is that block's estimate.
    """
    units = np.clip(block, -1.0 + 1e-9, 1.0 - 1e-9).reshape(*block.shape[:-1], NUM_PAIRS, 2)
    certainty = (1.0 - units**2).min(axis=-1)
    pre_activations = np.arctanh(units)
    x = (pre_activations[..., 0] + pre_activations[..., 1]) / (2.0 * GAIN) + CENTRES
    q = (pre_activations[..., 0] - pre_activations[..., 1]) / (2.0 * LEAN)
    total = np.zeros((*block.shape[:-1], NUM_COORDINATES))
    weight = np.zeros_like(total)
    total[..., main] = (x * certainty).sum(axis=-1)
    weight[..., main] = certainty.sum(axis=-1)
    for pair, other in enumerate(LEANS_WITH[main]):
        total[..., other] += q[..., pair] * certainty[..., pair]
        weight[..., other] += certainty[..., pair]
    return total, weight


def usual_coordinates(valence: ArrayLike, arousal: ArrayLike) -> NDArray[np.float64]:
    """Typical coordinates float64[..., 9] of an emotion, by the table USUAL."""
    emotion = np.clip(np.stack(np.broadcast_arrays(valence, arousal), axis=-1).astype(np.float64), -1.0, 1.0)
    return np.concatenate([emotion, np.clip(emotion @ USUAL.T, -1.0, 1.0)], axis=-1)
