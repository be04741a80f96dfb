"""What a listener hears in the four corners of the emotion plane, in numbers, and whether it moves the right way."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ttest_1samp

from kelly.audition.composing import compose
from kelly.audition.phrase import Figures, figures
from kelly.evaluation.bootstrap import LEVEL
from kelly.rtneural.reader import Model

CORNER = 0.7  # of valence and arousal: far out, and not quite where hardly any music lies
NUM_SEEDS = 32
CORNERS: Mapping[str, tuple[float, float]] = {
    "tense, angry": (-CORNER, CORNER),
    "excited, happy": (CORNER, CORNER),
    "sad": (-CORNER, -CORNER),
    "calm, content": (CORNER, -CORNER),
}
QUANTITIES = Figures._fields
# Which way each should move (Eerola, Friberg & Bresin, "Emotional expression in music", Frontiers in Psychology 4:487,
# 2013: mode and register for valence, tempo and loudness for arousal). The tempo is our rule, not a network's.
EXPECTED = (
    ("arousal", "notes_per_s", +1),
    ("arousal", "mean_velocity", +1),
    ("valence", "mean_pitch", +1),
    ("valence", "minor_chords", -1),
    ("valence", "minor_thirds", -1),
)


class Move(NamedTuple):
    """How far a quantity moves from the low side of an axis to the high side, over seeds; nan where it is not told.

    low, high: the interval of LEVEL; expected: which way it should move, 1 or -1
    """

    axis: str
    quantity: str
    expected: int
    mean: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Whether it moves the right way, beyond chance."""
        if not np.isfinite(self.low) or self.low <= 0 <= self.high:
            return "cannot be told"
        return "the right way" if np.sign(self.mean) == self.expected else "the wrong way"


def corners(models: Mapping[str, Model]) -> NDArray[np.float64]:
    """The figures of NUM_SEEDS phrases in each corner: float64[4, NUM_SEEDS, len(QUANTITIES)], nan where not told."""
    return np.array(
        [[figures(compose(models, *corner, seed=seed)) for seed in range(NUM_SEEDS)] for corner in CORNERS.values()],
        dtype=np.float64,
    )


def moves(found: NDArray[np.float64]) -> list[Move]:
    """How what should follow the emotion does, from `corners`: the high side less the low side, seed by seed."""
    sides = {"valence": ([1, 3], [0, 2]), "arousal": ([0, 1], [2, 3])}
    result = []
    for axis, quantity, expected in EXPECTED:
        values = found[..., QUANTITIES.index(quantity)]
        high, low = (values[side].mean(axis=0) for side in sides[axis])
        told = (high - low)[~np.isnan(high - low)]
        interval = (np.nan, np.nan)
        if len(told) > 1:
            interval = ttest_1samp(told, 0.0).confidence_interval(LEVEL) if np.ptp(told) else (told[0], told[0])
        result.append(Move(axis, quantity, expected, told.mean() if len(told) else np.nan, *map(float, interval)))
    return result


def table(found: NDArray[np.float64]) -> str:
    """Both in words: the means in each corner, and a line a quantity that should move."""
    heads = ("tempo", "mean pitch", "notes/s", "velocity", "minor chords", "minor thirds")
    lines = [f"{'means of ' + str(NUM_SEEDS) + ' phrases':<24}" + "".join(f"{head:>14}" for head in heads)]
    for (name, (valence, arousal)), values in zip(CORNERS.items(), found, strict=True):
        means = [column[~np.isnan(column)].mean() if not np.isnan(column).all() else np.nan for column in values.T]
        lines.append(f"{name:<15}{valence:+.1f} {arousal:+.1f}" + "".join(f"{one:>14}" for one in shown(means)))
    return "\n".join(lines + [in_words(move) for move in moves(found)])


def in_words(move: Move) -> str:
    """Whether a quantity moves the right way, as a line."""
    name = move.quantity.replace("_", " ").replace("per s", "a second")
    way = "up" if move.expected > 0 else "down"
    told = f"{move.mean:+.2f}, {LEVEL:.0%} interval {move.low:+.2f} to {move.high:+.2f}"
    return f"{name}, which should go {way} with {move.axis}: {move.verdict} ({told})"


def shown(means: list[float]) -> list[str]:
    """The figures as people read them."""
    bpm, pitch, density, velocity, *shares = means
    numbers = [f"{bpm:.0f}", f"{pitch:.1f}", f"{density:.1f}", f"{velocity:.0f}"]
    return numbers + ["–" if np.isnan(share) else f"{share:.0%}" for share in shares]
