"""Bootstrap intervals: their coverage, resampling of pieces instead of rows, and reproducibility."""

import numpy as np
import pytest
from numpy.typing import NDArray

from kelly.evaluation import bootstrap
from kelly.evaluation.bootstrap import intervals, sum_by_piece
from kelly.evaluation.metrics import LossSums

RNG = np.random.default_rng(5)


def as_loss(sums: NDArray[np.float64], counts: NDArray[np.int64]) -> LossSums:
    return LossSums(float(sums.sum() / counts.sum()), sums, counts)


def random_losses(num_pieces: int, gap: float) -> tuple[LossSums, LossSums, LossSums, NDArray[np.intp]]:
    """Network, baseline, ridge and pieces: 1 to 5 rows a piece, whose losses vary together."""
    pieces = np.repeat(np.arange(num_pieces), RNG.integers(1, 6, num_pieces))
    counts = RNG.integers(1, 4, len(pieces))
    network = 0.5 + 0.1 * RNG.exponential(1, num_pieces)[pieces] + 0.02 * RNG.standard_normal(len(pieces))
    ridge = network + gap + 0.05 * RNG.standard_normal(num_pieces)[pieces]
    baseline = np.ones(len(pieces))
    first, second, third = (as_loss(loss * counts, counts) for loss in (network, baseline, ridge))
    return first, second, third, pieces


def test_intervals_cover_the_true_skill_and_the_true_gap_in_95_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "NUM_RESAMPLES", 500)
    covered = np.zeros(2)
    for _ in range(200):
        network, baseline, ridge, pieces = random_losses(30, gap=0.03)
        scores = intervals(network, baseline, None, {"ridge": ridge}, pieces)
        gap_is_covered = scores["ridge_gap_low"] < 0.03 < scores["ridge_gap_high"]
        covered += (gap_is_covered, scores["skill_low"] < 0.4 < scores["skill_high"])
    assert (covered / 200 > 0.88).all()
    assert (covered / 200 < 0.99).all()


@pytest.mark.parametrize("gap", [0.2, -0.2])
def test_the_interval_of_a_clear_gap_excludes_zero(gap: float) -> None:
    network, baseline, ridge, pieces = random_losses(40, gap)
    scores = intervals(network, baseline, None, {"ridge": ridge}, pieces)
    assert min(scores["ridge_gap_low"] / gap, scores["ridge_gap_high"] / gap) > 0.8


def test_intervals_by_piece_are_wider_than_by_row_where_the_rows_of_a_piece_are_alike() -> None:
    network, baseline, ridge, pieces = random_losses(60, 0.0)
    pieces = np.repeat(np.arange(12), np.bincount(np.arange(len(pieces)) % 12))
    shift = RNG.standard_normal(12)[pieces] * network.counts
    ridge = as_loss(ridge.sums + shift, ridge.counts)
    widths = []
    for units in (pieces, np.arange(len(pieces))):
        scores = intervals(network, baseline, None, {"ridge": ridge}, units)
        widths.append(scores["ridge_gap_high"] - scores["ridge_gap_low"])
    assert widths[0] > 2 * widths[1]


def test_skill_is_relative_to_the_floor_and_the_same_data_gives_the_same_floats() -> None:
    network, baseline, ridge, pieces = random_losses(25, 0.01)
    assert intervals(network, baseline, network, {}, pieces) == {"skill_low": 1.0, "skill_high": 1.0}
    first, second = (intervals(network, baseline, None, {"ridge": ridge}, pieces) for _ in range(2))
    assert first == second
    assert all(type(value) is float for value in first.values())


def test_few_pieces_with_targets_have_no_interval() -> None:
    network, baseline, ridge, pieces = random_losses(bootstrap.MIN_PIECES, 0.01)
    assert intervals(network, baseline, None, {"ridge": ridge}, pieces)
    counts = np.where(pieces == 0, 0, network.counts)
    masked = LossSums(network.mean, np.where(counts, network.sums, 0.0), counts)
    assert intervals(masked, baseline, None, {"ridge": ridge}, pieces) == {}


def test_very_many_pieces_are_pooled_without_changing_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    network, baseline, ridge, pieces = random_losses(4_000, 0.0)
    widths = []
    for units in (4_000, 500):
        monkeypatch.setattr(bootstrap, "MAX_UNITS", units)
        sums = sum_by_piece([network.sums], pieces)
        assert sums.shape == (1, units)
        assert sums.sum() == pytest.approx(network.sums.sum())
        scores = intervals(network, baseline, None, {"ridge": ridge}, pieces)
        widths.append(scores["ridge_gap_high"] - scores["ridge_gap_low"])
    assert widths[1] == pytest.approx(widths[0], rel=0.25)
