"""95 % confidence intervals of scores, by a bootstrap over whole test pieces.

The rows of one piece are alike; resampling single rows would make the intervals too narrow (Davison & Hinkley,
"Bootstrap Methods and their Application", 1997, section 3.8). The intervals cover the choice of test pieces, not
variation between training seeds.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from kelly.evaluation.metrics import Floats, LossSums, Scores

LEVEL = 0.95
MIN_PIECES = 10
MAX_UNITS = 5_000  # more pieces are pooled at random into so many units of resampling
NUM_RESAMPLES = 2_000
BATCH = 50  # resamples in memory at a time
SEED = 0


def intervals(
    network: LossSums,
    baseline: LossSums,
    floor: LossSums | None,
    others: Mapping[str, LossSums],
    pieces: NDArray[np.intp],
) -> Scores:
    """Limits of the intervals of the skill and of each gap, the mean loss of another predictor minus the network's.

    pieces: int[n], the index of each sequence's piece
    Returns `skill_low`, `skill_high`, `{name}_gap_low`, `{name}_gap_high`, always the same for the same data; {} where
    fewer than MIN_PIECES pieces have targets.
    """
    has_targets = network.counts > 0
    num_pieces = len(np.unique(pieces[has_targets]))
    if num_pieces < MIN_PIECES:
        return {}
    # Imported here: only evaluations need it, and the import takes as long as a small one.
    from scipy.stats import bootstrap

    floor_sums = np.zeros_like(network.sums) if floor is None else floor.sums
    rows = [network.counts, network.sums, baseline.sums, floor_sums, *(other.sums for other in others.values())]
    # Percentiles, as BCa is not defined where a network equals its baseline.
    interval = bootstrap(
        tuple(sum_by_piece([row[has_targets] for row in rows], pieces[has_targets])), skill_and_gaps, paired=True,
        n_resamples=NUM_RESAMPLES, batch=BATCH, vectorized=True, axis=-1, method="percentile",
        confidence_level=expanded_level(num_pieces), rng=np.random.default_rng(SEED),
    ).confidence_interval  # fmt: skip
    limits: Scores = {}
    names = ["skill", *(f"{name}_gap" for name in others)]
    for name, low, high in zip(names, interval.low, interval.high, strict=True):
        limits |= {f"{name}_low": float(low), f"{name}_high": float(high)}
    return limits


def skill_and_gaps(*rows: Floats, axis: int) -> Floats:
    """The skill and the gaps of the pieces along `axis`, from the rows that `intervals` stacks."""
    count, network, baseline, floor, *others = (row.sum(axis=axis) for row in rows)
    return np.stack([(baseline - network) / (baseline - floor), *((other - network) / count for other in others)])


def expanded_level(num_pieces: int) -> float:
    """The level whose percentiles reach as far as LEVEL should: those of few pieces lie too close together.

    The expanded percentile interval of Hesterberg, "What Teachers Should Know About the Bootstrap", The American
    Statistician 69(4), 2015.
    """
    reach = np.sqrt(num_pieces / (num_pieces - 1)) * stdtrit(num_pieces - 1, (1 + LEVEL) / 2)  # Student's t
    return float(2 * ndtr(reach) - 1)


def sum_by_piece(rows: list[NDArray[Any]], pieces: NDArray[np.intp]) -> Floats:
    """Each of `rows`, [n], summed by piece: float64[len(rows), at most MAX_UNITS]."""
    names, unit = np.unique(pieces, return_inverse=True)
    if len(names) > MAX_UNITS:
        unit = np.random.default_rng(SEED).permutation(len(names))[unit] % MAX_UNITS
    return np.array([np.bincount(unit, weights=row) for row in rows])
