"""Statistics of phrases in the four quadrants of the emotion plane, and whether they follow the emotion as expected."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import ttest_1samp

from kelly.audition.composing import compose
from kelly.audition.phrase import PhraseStats, phrase_stats
from kelly.evaluation.bootstrap import LEVEL
from kelly.rtneural.reader import Model

DISTANCE = 0.7  # of valence and arousal: far out, but not at the edge, where there is hardly any music
NUM_SEEDS = 32
QUADRANTS: Mapping[str, tuple[float, float]] = {
    "tense, angry": (-DISTANCE, DISTANCE),
    "excited, happy": (DISTANCE, DISTANCE),
    "sad": (-DISTANCE, -DISTANCE),
    "calm, content": (DISTANCE, -DISTANCE),
}
STATS = PhraseStats._fields
# The expected sign of each (Eerola, Friberg & Bresin, "Emotional expression in music", Frontiers in Psychology 4:487,
# 2013: mode and register for valence, tempo and loudness for arousal). The tempo is our rule, not a network's.
EXPECTED = (
    ("arousal", "notes_per_s", +1),
    ("arousal", "mean_velocity", +1),
    ("valence", "mean_pitch", +1),
    ("valence", "minor_chords", -1),
    ("valence", "minor_thirds", -1),
)


class Effect(NamedTuple):
    """The change of a statistic from the low to the high side of an axis, over seeds; NaN where undefined.

    low, high: the confidence interval of LEVEL; expected: the expected sign, 1 or -1
    """

    axis: str
    stat: str
    expected: int
    mean: float
    low: float
    high: float

    @property
    def comparison(self) -> str:
        """Whether the change has the expected sign, significantly."""
        if not np.isfinite(self.low) or self.low <= 0 <= self.high:
            return "not significant"
        return "as expected" if np.sign(self.mean) == self.expected else "opposite"

    def __str__(self) -> str:
        direction = "up" if self.expected > 0 else "down"
        name = self.stat.replace("_", " ").replace("per s", "per second")
        interval = f"{LEVEL:.0%} interval {self.low:+.2f} to {self.high:+.2f}"
        return f"{name} (expected {direction} with {self.axis}): {self.comparison}, {self.mean:+.2f}, {interval}"


def quadrant_stats(models: Mapping[str, Model]) -> NDArray[np.float64]:
    """Compose NUM_SEEDS phrases per quadrant: float64[4, NUM_SEEDS, len(STATS)], NaN where undefined."""
    return np.array(
        [[phrase_stats(compose(models, *emotion, seed=seed)) for seed in range(NUM_SEEDS)]
         for emotion in QUADRANTS.values()],
        dtype=np.float64,
    )  # fmt: skip


def effects(stats: NDArray[np.float64]) -> list[Effect]:
    """The effects of EXPECTED, from `quadrant_stats`: the high side minus the low side, seed by seed."""
    rows = {"valence": ([1, 3], [0, 2]), "arousal": ([0, 1], [2, 3])}
    result = []
    for axis, stat, expected in EXPECTED:
        values = stats[..., STATS.index(stat)]
        high, low = (values[side].mean(axis=0) for side in rows[axis])
        changes = (high - low)[~np.isnan(high - low)]
        interval = (np.nan, np.nan)
        if len(changes) > 1:
            constant = (changes[0], changes[0])
            interval = ttest_1samp(changes, 0.0).confidence_interval(LEVEL) if np.ptp(changes) else constant
        result.append(Effect(axis, stat, expected, changes.mean() if len(changes) else np.nan, *map(float, interval)))
    return result


def table(stats: NDArray[np.float64]) -> str:
    """The mean statistics of each quadrant, and a line per effect."""
    index = [f"{name:<15}{valence:+.1f} {arousal:+.1f}" for name, (valence, arousal) in QUADRANTS.items()]
    means = pd.DataFrame([pd.DataFrame(values).mean() for values in stats], index=index)
    means.columns = pd.Index(["tempo", "mean pitch", "notes/s", "velocity", "minor chords", "minor thirds"])
    formats = ("{:.0f}", "{:.1f}", "{:.1f}", "{:.0f}", "{:.0%}", "{:.0%}")
    text = means.to_string(formatters=[form.format for form in formats], na_rep="–", col_space=12)
    return "\n".join([f"means of {NUM_SEEDS} phrases", text, *map(str, effects(stats))])
