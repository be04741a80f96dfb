"""The report of `kelly compare` on one network: changed settings, a table, and warnings."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from kelly.config.effective import Setting
from kelly.evaluation.comparisons import fixed, with_interval
from kelly.experiments.differences import OTHER_TEST_SPLIT, Group, Interval
from kelly.experiments.revisions import Run
from kelly.plots.labels import metric_name
from kelly.tasks import Task

LEGEND = """\
Loss, skill and primary metric are those of the test split, from the metrics of each revision; of several seeds the mean
± the standard deviation. Difference: loss minus that of the reference, {reference}; below 0 is better. Intervals are
95 %, over test pieces (paired bootstrap) and over training seeds (Student's t). A difference counts as better or worse
only if all known intervals lie on one side of 0."""
MORE_SEEDS = """\
The variation between seeds is unknown, as each was trained with one only: {networks}.
Another seed alone could cause such a difference. To measure it for the settings of the workspace:
  dvc exp run --queue -S 'training_seed=1,2,3'
  dvc queue start"""
NONE = "–"


def section(task: Task, groups: Sequence[Group]) -> Iterator[str]:
    """All lines on a network; the first group is the reference."""
    yield task.title
    for group in groups[1:]:
        yield from changes(groups[0].runs[0], group.runs)
    yield table(task, groups)
    yield from warnings(groups)


def changes(reference: Run, runs: Sequence[Run]) -> Iterator[str]:
    """The settings and code that differ between the reference and a group of runs."""
    first = runs[0]
    yield f"  {', '.join(run.name for run in runs)} compared with {reference.name}:"
    missing, lines = Setting("", NONE), []
    for name in {**reference.settings, **first.settings}:
        before, after = (run.settings.get(name, missing) for run in (reference, first))
        if before.value != after.value:
            # The longer key is the network's own, where the other is the shared one.
            lines.append(f"{max(before.key, after.key, key=len)}: {as_yaml(before.value)} -> {as_yaml(after.value)}")
    same = "the same settings"
    if reference.export is not None and first.export is not None:
        same += " and code"
        for name, value in reference.export.code.items():
            if value != first.export.code[name]:
                lines.append(f"{name}: {value} -> {first.export.code[name]}")
    for line in lines or [same]:
        yield f"    {line}"


def as_yaml(value: Any) -> str:
    """A value as in params.yaml."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def table(task: Task, groups: Sequence[Group]) -> str:
    """A row per revision, and one for the mean of each group of several."""
    import pandas as pd

    rows = []
    for group in groups:
        comparison = compared(group, is_reference=group is groups[0])
        if len(group.runs) == 1:
            rows.append(run_cells(task, group.runs[0]) | comparison)
        else:
            rows += [*(run_cells(task, run) for run in group.runs), mean_cells(task, group) | comparison]
    frame = pd.DataFrame(rows).fillna("").set_index("revision").rename_axis(index=None, columns="revision")
    return "\n".join(f"  {line}".rstrip() for line in frame.to_string().splitlines())


def run_cells(task: Task, run: Run) -> dict[str, str]:
    """The seed, epochs and scores of a run."""
    scores = run.scores
    return {
        "revision": run.name,
        "seed": NONE if run.export is None else str(run.export.seed),
        "epochs": str(scores.get("epochs", NONE)),
        "best": str(scores.get("best_epoch", NONE)),
        "loss": number(scores, "loss", 6),
        "skill (95 %)": skill(scores),
        metric_name(task.primary_metric): number(scores, task.primary_metric, 3),
    }


def mean_cells(task: Task, group: Group) -> dict[str, str]:
    """The mean scores of a group, with the standard deviation of the loss."""
    losses = [loss.mean for loss in group.losses] or [run.scores.get("loss", math.nan) for run in group.runs]
    mean = {
        name: float(np.mean([run.scores.get(name, math.nan) for run in group.runs]))
        for name in ("skill", task.primary_metric)
    }
    return {
        "revision": f"mean of {len(losses)} seeds",
        "loss": f"{np.mean(losses):.6f} ± {np.std(losses, ddof=1):.6f}",
        "skill (95 %)": skill(group.scores or mean),
        metric_name(task.primary_metric): number(mean, task.primary_metric, 3),
    }


def compared(group: Group, is_reference: bool) -> dict[str, str]:
    """The difference, its intervals, and the outcome."""
    cells: tuple[str, ...]
    if d := group.difference:
        cells = signed(d.value), interval(d.pieces), interval(d.seeds), d.comparison
    elif is_reference:
        cells = NONE, NONE, NONE, "reference"
    else:
        reason = f": {group.error}" if group.error == OTHER_TEST_SPLIT else ""
        cells = NONE, NONE, NONE, f"not comparable{reason}"
    return dict(zip(("difference", "over pieces", "over seeds", "comparison"), cells, strict=True))


def interval(ends: Interval | None) -> str:
    """Both ends of an interval."""
    return NONE if ends is None else " to ".join(signed(end) for end in ends)


def signed(value: float) -> str:
    """A difference of losses with its sign; 0 has none."""
    text = f"{value:+.6f}"
    return (text if float(text) else text[1:]).replace("-", "−")


def skill(scores: Mapping[str, Any]) -> str:
    """The skill with its interval if it has one."""
    return with_interval(scores, "skill", fixed) if "skill" in scores else NONE


def number(scores: Mapping[str, Any], name: str, decimals: int) -> str:
    """A score with so many decimals."""
    return f"{scores[name]:.{decimals}f}".replace("-", "−") if name in scores else NONE


def warnings(groups: Sequence[Group]) -> Iterator[str]:
    """Why groups are not comparable, and where the files of a revision contradict each other, a line each."""
    yield from dict.fromkeys(f"  not comparable: {g.error}" for g in groups if g.error not in ("", OTHER_TEST_SPLIT))
    for group in groups:
        for run in group.runs:
            for name, used in (run.export.training if run.export else {}).items():
                if name in run.settings and (value := run.settings[name].value) != used:
                    yield (f"  {run.name}: params.yaml has {name} {as_yaml(value)}, but its export was trained with "
                           f"{as_yaml(used)}; run dvc repro there")  # fmt: skip
        for run, loss in zip(group.runs, group.losses, strict=False):
            if not math.isclose(recorded := run.scores.get("loss", loss.mean), loss.mean, rel_tol=1e-6):
                yield (f"  {run.name}: its metrics have a loss of {recorded:.6f}, but its export now has "
                       f"{loss.mean:.6f}; run dvc repro there")  # fmt: skip
