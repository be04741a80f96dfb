"""Chance that is the same everywhere: in Python and in JavaScript, whatever was drawn before.

A number belongs to a seed and a place, so that a small change of the emotion changes little of the music.
"""

from collections.abc import Iterable, Sequence

NUCLEUS = 0.8  # share of the probability that is drawn from (Holtzman et al., ICLR 2020: nucleus sampling)
MELODY, ONSETS, NUMBER, HARMONY = range(4)  # what a number is drawn for


def uniform(*keys: int) -> float:
    """A number in 0..1 for a seed and a place: MurmurHash3's finaliser (Appleby 2011) over 32-bit keys."""
    h = 0
    for key in keys:
        h = (h ^ key) & 0xFFFFFFFF
        h = ((h ^ h >> 16) * 0x85EBCA6B) & 0xFFFFFFFF
        h = ((h ^ h >> 13) * 0xC2B2AE35) & 0xFFFFFFFF
        h = ((h ^ h >> 16) + 0x9E3779B9) & 0xFFFFFFFF
    return (h + 0.5) / 2**32


def added(values: Iterable[float]) -> float:
    """The sum from left to right, as JavaScript adds; NumPy and newer Pythons add otherwise."""
    total = 0.0
    for value in values:
        total += value
    return total


def pick(weights: Sequence[float], u: float) -> int:
    """The index that u in 0..1 draws from the most probable NUCLEUS of weights[n], not all 0."""
    order = sorted(range(len(weights)), key=lambda k: -weights[k])
    enough, total, size = NUCLEUS * added(weights), 0.0, 0
    while size < len(order) and (total < enough or not size):
        total += weights[order[size]]
        size += 1
    at = u * total
    for k in order[:size]:
        at -= weights[k]
        if at < 0:
            return k
    return order[size - 1]
