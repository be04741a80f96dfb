"""Group runs that differ only in the seed, and test whether the losses of groups differ significantly."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kelly.evaluation.bootstrap import LEVEL
from kelly.evaluation.comparisons import Comparison
from kelly.evaluation.metrics import LossSums, Scores
from kelly.experiments.revisions import Run

OTHER_TEST_SPLIT = "other test split"

Interval = tuple[float, float]


@dataclass(frozen=True)
class Difference:
    """A difference of mean losses, below 0 where the group is better than the reference, and its intervals.

    pieces: over test pieces; seeds: over training seeds; None where unknown
    """

    value: float
    pieces: Interval | None
    seeds: Interval | None

    @property
    def comparison(self) -> Comparison:
        """Better or worse only if all known intervals lie on one side of 0."""
        known = [interval for interval in (self.pieces, self.seeds) if interval is not None]
        if not known:
            return "unknown"
        if all(high < 0 for _, high in known):
            return "better"
        return "worse" if all(low > 0 for low, _ in known) else "no difference"


@dataclass(frozen=True)
class Group:
    """Runs that differ only in the seed, compared with the reference.

    losses: of each run on the reference's test split; scores: skill of their mean, with its interval
    difference: None for the reference, and where `error` says why there is none
    """

    runs: Sequence[Run]
    losses: Sequence[LossSums] = ()
    scores: Scores = field(default_factory=dict)
    difference: Difference | None = None
    error: str = ""


def group_runs(runs: Sequence[Run]) -> list[list[Run]]:
    """Group runs with the same settings, data and code and different seeds, in the order of their first runs.

    A run with a seed that its group already has starts a new group: it is a repetition, not a sample.
    """
    groups: list[list[Run]] = []
    for run in runs:
        for group in groups:
            if differs_only_in_seed(run, group):
                group.append(run)
                break
        else:
            groups.append([run])
    return groups


def differs_only_in_seed(run: Run, group: Sequence[Run]) -> bool:
    """Whether a run differs from all runs of a group in nothing but the seed."""
    export, others = run.export, [other.export for other in group]
    if export is None or others[0] is None:
        return False
    is_same = all(getattr(export, name) == getattr(others[0], name) for name in ("training", "data", "code"))
    return is_same and all(other is not None and other.seed != export.seed for other in others)


def mean_loss_sums(losses: Sequence[LossSums]) -> LossSums:
    """The mean over runs, by sequence."""
    sums = np.mean([loss.sums for loss in losses], axis=0)
    return LossSums(float(np.mean([loss.mean for loss in losses])), sums, losses[0].counts)


def difference(losses: Sequence[LossSums], reference: Sequence[LossSums], scores: Scores) -> Difference:
    """The difference of two groups of runs.

    scores: of `intervals`; its `reference_gap_low` and `_high` are those of the reference's loss minus the group's
    """
    pieces = None
    if "reference_gap_low" in scores:
        pieces = 0.0 - scores["reference_gap_high"], 0.0 - scores["reference_gap_low"]  # 0.0 - 0.0 has no sign
    seeds = seed_interval([loss.mean for loss in losses], [loss.mean for loss in reference])
    return Difference(mean_loss_sums(losses).mean - mean_loss_sums(reference).mean, pieces, seeds)


def seed_interval(losses: Sequence[float], reference: Sequence[float]) -> Interval | None:
    """Student's t interval of the difference of mean losses, with pooled variance; None for one run each.

    A single run has no variance of its own; then only the other group's is used.
    """
    if len(losses) + len(reference) < 3:
        return None
    from scipy.stats import ttest_ind  # slow to import

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # equal losses: no variance, an interval of width 0
        interval = ttest_ind(losses, reference, equal_var=True).confidence_interval(LEVEL)
    return float(interval.low), float(interval.high)
