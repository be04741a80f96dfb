"""Random numbers that are the same in Python and in JavaScript, and independent of the order in which they are drawn.

Each number belongs to a seed and a position, so that a small change of the emotion changes little of the music.
"""

from collections.abc import Iterable, Sequence

NUCLEUS = 0.8  # probability mass that is sampled from (nucleus sampling: Holtzman et al., ICLR 2020)
MELODY, ONSETS, NUM_NOTES, HARMONY = range(4)  # streams: what a number is drawn for


def uniform(*keys: int) -> float:
    """Return a number in (0, 1) for 32-bit keys: MurmurHash3's finaliser (Appleby 2011) over each key."""
    h = 0
    for key in keys:
        h = (h ^ key) & 0xFFFFFFFF
        h = ((h ^ h >> 16) * 0x85EBCA6B) & 0xFFFFFFFF
        h = ((h ^ h >> 13) * 0xC2B2AE35) & 0xFFFFFFFF
        h = ((h ^ h >> 16) + 0x9E3779B9) & 0xFFFFFFFF
    return (h + 0.5) / 2**32


def sequential_sum(values: Iterable[float]) -> float:
    """Sum from left to right as JavaScript does; NumPy and Python 3.12 sum in another order."""
    total = 0.0
    for value in values:
        total += value
    return total


def sample(weights: Sequence[float], u: float) -> int:
    """Return the index that u in (0, 1) selects among the NUCLEUS of weights[n] >= 0."""
    order = sorted(range(len(weights)), key=lambda k: -weights[k])
    mass, total, size = NUCLEUS * sequential_sum(weights), 0.0, 0
    while size < len(order) and (total < mass or not size):
        total += weights[order[size]]
        size += 1
    remaining = u * total
    for k in order[:size]:
        remaining -= weights[k]
        if remaining < 0:
            return k
    return order[size - 1]
