"""Runs of one network side by side: which differ in the seed alone, and whether losses differ by more than chance."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from kelly.evaluation.bootstrap import LEVEL
from kelly.evaluation.metrics import Cost, Scores
from kelly.experiments.revisions import Run

OTHER_PIECES = "other test pieces"

Interval = tuple[float, float]
Verdict = Literal["better", "worse", "cannot be told apart"]


@dataclass(frozen=True)
class Difference:
    """How much more is lost than by the reference, below 0 where less is, and what chance could have made of it.

    pieces: had other test pieces been drawn; seeds: had other seeds; None where it is not known
    """

    value: float
    pieces: Interval | None
    seeds: Interval | None

    @property
    def verdict(self) -> Verdict:
        """Better or worse only where all intervals that are known lie on one side of 0."""
        known = [interval for interval in (self.pieces, self.seeds) if interval is not None]
        if known and all(high < 0 for _, high in known):
            return "better"
        return "worse" if known and all(low > 0 for low, _ in known) else "cannot be told apart"


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but the seed, beside the reference.

    costs: of each run, on the reference's test pieces; scores: the skill of their mean, with its interval
    difference: None for the reference itself, and where there is none, for which `fault` says why
    """

    runs: Sequence[Run]
    costs: Sequence[Cost] = ()
    scores: Scores = field(default_factory=dict)
    difference: Difference | None = None
    fault: str = ""


def groups(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs with the same settings, data and code and with different seeds, together; in the order of their firsts.

    The same seed is no second run: it would come out the same.
    """
    found: list[list[Run]] = []
    for run in runs:
        for group in found:
            if is_another_run(run, group):
                group.append(run)
                break
        else:
            found.append([run])
    return found


def is_another_run(run: Run, group: Sequence[Run]) -> bool:
    """Whether a run differs from those of a group in nothing but the seed."""
    mine, others = run.export, [other.export for other in group]
    if mine is None or others[0] is None:
        return False
    same = all(getattr(mine, part) == getattr(others[0], part) for part in ("training", "data", "code"))
    return same and all(other is not None and other.seed != mine.seed for other in others)


def mean(costs: Sequence[Cost]) -> Cost:
    """What several runs lose on average, sequence by sequence."""
    sums = np.mean([cost.sums for cost in costs], axis=0)
    return Cost(float(np.mean([cost.mean for cost in costs])), sums, costs[0].numbers)


def difference(costs: Sequence[Cost], reference: Sequence[Cost], scores: Scores) -> Difference:
    """The difference of two groups of runs.

    scores: of `intervals`, `reference_gap_low` and `_high`, the reference's mean loss less theirs, if there are
    """
    pieces = None
    if "reference_gap_low" in scores:
        pieces = 0.0 - scores["reference_gap_high"], 0.0 - scores["reference_gap_low"]  # 0 − 0 has no sign
    seeds = over_seeds([cost.mean for cost in costs], [cost.mean for cost in reference])
    return Difference(mean(costs).mean - mean(reference).mean, pieces, seeds)


def over_seeds(losses: Sequence[float], reference: Sequence[float]) -> Interval | None:
    """Student's t interval of the difference of mean losses, variance pooled; None where each has one run.

    One run has no variance of its own, and takes the other group's.
    """
    if len(losses) + len(reference) < 3:
        return None
    # Here, since its import takes as long as all else.
    from scipy.stats import ttest_ind

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # equal losses have no variance, their interval no width
        found = ttest_ind(losses, reference, equal_var=True).confidence_interval(LEVEL)
    return float(found.low), float(found.high)
