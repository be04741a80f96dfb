"""Bootstrap intervals: they cover what they promise, count pieces and not rows, and are always the same."""

import numpy as np
import pytest
from numpy.typing import NDArray

from kelly.evaluation import bootstrap as module
from kelly.evaluation.bootstrap import by_piece, intervals
from kelly.evaluation.metrics import Cost

RNG = np.random.default_rng(5)


def a_cost(sums: NDArray[np.float64], numbers: NDArray[np.int64]) -> Cost:
    return Cost(float(sums.sum() / numbers.sum()), sums, numbers)


def draw(num_pieces: int, gap: float, spread: float = 0.05) -> tuple[Cost, Cost, Cost, NDArray[np.intp]]:
    """Network, baseline, reference and pieces: 1 to 5 rows a piece, whose losses shift together by `spread`."""
    pieces = np.repeat(np.arange(num_pieces), RNG.integers(1, 6, num_pieces))
    numbers = RNG.integers(1, 4, len(pieces))
    network = 0.5 + 0.1 * RNG.exponential(1, num_pieces)[pieces] + 0.02 * RNG.standard_normal(len(pieces))
    reference = network + gap + spread * RNG.standard_normal(num_pieces)[pieces]
    baseline = np.ones(len(pieces))
    first, second, third = (a_cost(loss * numbers, numbers) for loss in (network, baseline, reference))
    return first, second, third, pieces


def test_intervals_cover_the_true_skill_and_the_true_gap_as_often_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NUM_RESAMPLES", 500)
    covered = np.zeros(2)
    for _ in range(200):
        network, baseline, reference, pieces = draw(30, gap=0.03)
        found = intervals(network, baseline, None, {"ridge": reference}, pieces)
        covered += (
            found["ridge_gap_low"] < 0.03 < found["ridge_gap_high"],
            found["skill_low"] < 0.4 < found["skill_high"],
        )
    assert (covered / 200 > 0.88).all()
    assert (covered / 200 < 0.99).all()


def test_a_clear_difference_lies_wholly_on_its_side_of_zero() -> None:
    for gap in (0.2, -0.2):
        network, baseline, reference, pieces = draw(40, gap)
        found = intervals(network, baseline, None, {"ridge": reference}, pieces)
        assert min(found["ridge_gap_low"] / gap, found["ridge_gap_high"] / gap) > 0.8


def test_intervals_by_piece_are_wider_than_by_row_where_the_rows_of_a_piece_are_alike() -> None:
    network, baseline, reference, pieces = draw(60, 0.0)
    pieces = np.repeat(np.arange(12), np.bincount(np.arange(len(pieces)) % 12))
    shift = RNG.standard_normal(12)[pieces] * network.numbers
    reference = a_cost(reference.sums + shift, reference.numbers)
    width = []
    for drawn in (pieces, np.arange(len(pieces))):
        found = intervals(network, baseline, None, {"ridge": reference}, drawn)
        width.append(found["ridge_gap_high"] - found["ridge_gap_low"])
    assert width[0] > 2 * width[1]


def test_the_floor_counts_in_the_skill() -> None:
    network, baseline, _, pieces = draw(20, 0.0)
    found = intervals(network, baseline, network, {}, pieces)
    assert found == {"skill_low": 1.0, "skill_high": 1.0}


def test_the_same_data_gives_the_same_bytes() -> None:
    network, baseline, reference, pieces = draw(25, 0.01)
    first, again = (intervals(network, baseline, None, {"ridge": reference}, pieces) for _ in range(2))
    assert first == again
    assert all(type(value) is float for value in first.values())


def test_few_pieces_have_no_interval() -> None:
    network, baseline, reference, pieces = draw(module.FEWEST_PIECES, 0.01)
    assert intervals(network, baseline, None, {"ridge": reference}, pieces)
    untold = np.where(pieces == 0, 0, network.numbers)
    silent = Cost(network.mean, np.where(untold, network.sums, 0.0), untold)
    assert intervals(silent, baseline, None, {"ridge": reference}, pieces) == {}


def test_very_many_pieces_are_dealt_into_heaps_with_the_same_width(monkeypatch: pytest.MonkeyPatch) -> None:
    network, baseline, reference, pieces = draw(4_000, 0.0)
    found = [intervals(network, baseline, None, {"ridge": reference}, pieces)]
    monkeypatch.setattr(module, "MOST_PIECES", 500)
    assert by_piece([network.sums], pieces).shape == (1, 500)
    assert by_piece([network.sums], pieces).sum() == pytest.approx(network.sums.sum())
    found.append(intervals(network, baseline, None, {"ridge": reference}, pieces))
    widths = [f["ridge_gap_high"] - f["ridge_gap_low"] for f in found]
    assert widths[1] == pytest.approx(widths[0], rel=0.25)
