"""Statistics of the quadrants of the emotion plane: means, and the significance and sign of each effect."""

import numpy as np
import pytest
from support.random_networks import random_exports

from kelly.audition import quadrants
from kelly.audition.quadrants import NUM_SEEDS, QUADRANTS, STATS, Effect, effects, quadrant_stats, table

SIGNS = [(-1, 1), (1, 1), (-1, -1), (1, -1)]  # of valence and arousal in each quadrant


def linear_stats(**slopes: tuple[float, float]) -> np.ndarray:
    """Statistics that are linear in valence and arousal, with noise."""
    stats = np.random.default_rng(0).normal(0, 0.5, (4, NUM_SEEDS, len(STATS)))
    for name, (valence, arousal) in slopes.items():
        stats[..., STATS.index(name)] += np.array([v * valence + a * arousal for v, a in SIGNS])[:, None]
    return stats


def effect_of(stats: np.ndarray, name: str) -> Effect:
    return next(effect for effect in effects(stats) if effect.stat == name)


def test_the_order_of_the_quadrants_is_the_one_that_effects_relies_on() -> None:
    assert [(np.sign(v), np.sign(a)) for v, a in QUADRANTS.values()] == SIGNS


def test_each_effect_is_measured_along_its_axis() -> None:
    stats = linear_stats(mean_pitch=(2, 5), minor_chords=(1, -5), notes_per_s=(9, -3))
    assert {effect.stat: effect.comparison for effect in effects(stats)} == {
        "notes_per_s": "opposite",
        "mean_velocity": "not significant",
        "mean_pitch": "as expected",
        "minor_chords": "opposite",
        "minor_thirds": "not significant",
    }
    pitch = effect_of(stats, "mean_pitch")
    assert pitch.low < pitch.mean < pitch.high
    assert pitch.mean == pytest.approx(4, abs=0.3)


@pytest.mark.parametrize(
    ("num_missing", "comparison"),
    [(3, "as expected"), (NUM_SEEDS - 1, "not significant"), (NUM_SEEDS, "not significant")],
)
def test_phrases_without_thirds_are_excluded_and_one_is_too_few(num_missing: int, comparison: str) -> None:
    stats = linear_stats(minor_thirds=(-2, 0))
    stats[0, NUM_SEEDS - num_missing :, STATS.index("minor_thirds")] = np.nan
    assert effect_of(stats, "minor_thirds").comparison == comparison


def test_the_table_has_a_line_per_quadrant_and_per_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quadrants, "NUM_SEEDS", 2)
    stats = quadrant_stats(random_exports().models)
    lines = table(stats).splitlines()
    assert [line[:3] for line in lines[2:6]] == ["ten", "exc", "sad", "cal"]
    assert lines[2].split()[-6] == "139"
    assert len(lines) == 2 + 4 + 5
    stats[..., STATS.index("minor_thirds")] = np.nan
    assert all(line.endswith("–") for line in table(stats).splitlines()[2:6])
