"""How far scores can be trusted: 95 % intervals by a bootstrap that draws whole test pieces with replacement.

Rows of one piece are alike; drawn one by one they would promise more certainty than there is (Davison & Hinkley,
"Bootstrap Methods and their Application", 1997, section 3.8). The intervals say what other pieces of the same kind
could have given, not what another training could.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from kelly.evaluation.metrics import Cost, Scores

Floats = NDArray[np.float64]

LEVEL = 0.95
FEWEST_PIECES = 10
MOST_PIECES = 5_000  # more are dealt into so many heaps, which are drawn as pieces are
NUM_RESAMPLES = 2_000
BATCH = 50  # resamples in memory at a time
SEED = 0


def intervals(
    network: Cost, baseline: Cost, floor: Cost | None, others: Mapping[str, Cost], pieces: NDArray[np.intp]
) -> Scores:
    """Ends of the intervals of the skill and of each other's mean loss less the network's, its gap.

    pieces: int[n], the number of each sequence's piece
    Returns `skill_low`, `skill_high`, `{name}_gap_low`, `{name}_gap_high`, always the same for the same data; nothing
    where fewer than FEWEST_PIECES pieces have targets.
    """
    told = network.numbers > 0
    num_pieces = len(np.unique(pieces[told]))
    if num_pieces < FEWEST_PIECES:
        return {}
    # Here, since only evaluations draw intervals, and the import takes as long as a small one.
    from scipy.stats import bootstrap

    best = np.zeros_like(network.sums) if floor is None else floor.sums
    rows = [network.numbers, network.sums, baseline.sums, best, *(other.sums for other in others.values())]
    # Percentiles, as BCa is not defined where a network equals its reference.
    found = bootstrap(
        tuple(by_piece([row[told] for row in rows], pieces[told])),
        skill_and_gaps,
        n_resamples=NUM_RESAMPLES,
        batch=BATCH,
        vectorized=True,
        paired=True,
        axis=-1,
        confidence_level=expanded(num_pieces),
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    names = ["skill", *(f"{name}_gap" for name in others)]
    ends = zip(names, found.low, found.high, strict=True)
    return {f"{name}_{end}": float(at) for name, *both in ends for end, at in zip(("low", "high"), both, strict=True)}


def skill_and_gaps(*rows: Floats, axis: int) -> Floats:
    """The skill and the gaps of the pieces along `axis`, from the rows that `intervals` puts process_group."""
    number, network, baseline, floor, *others = (row.sum(axis=axis) for row in rows)
    return np.stack([(baseline - network) / (baseline - floor), *((other - network) / number for other in others)])


def expanded(num_pieces: int) -> float:
    """The level at which the percentiles of few pieces, which lie too close process_group, reach as far as LEVEL asks.

    The expanded percentile interval of Hesterberg, "What Teachers Should Know About the Bootstrap", The American
    Statistician 69(4), 2015.
    """
    reach = np.sqrt(num_pieces / (num_pieces - 1)) * stdtrit(num_pieces - 1, (1 + LEVEL) / 2)  # Student's t
    return float(2 * ndtr(reach) - 1)


def by_piece(rows: list[NDArray[Any]], pieces: NDArray[np.intp]) -> Floats:
    """Each of `rows`, [n], added up by piece: float64[len(rows), at most MOST_PIECES]."""
    names, unit = np.unique(pieces, return_inverse=True)
    if len(names) > MOST_PIECES:
        unit = np.random.default_rng(SEED).permutation(len(names))[unit] % MOST_PIECES
    return np.array([np.bincount(unit, weights=row) for row in rows])
