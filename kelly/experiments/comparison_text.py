"""What `kelly compare` says of a network: what differs in the settings, a table, and what to doubt."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from kelly.config.effective import Setting
from kelly.evaluation.comparisons import fixed
from kelly.experiments.differences import OTHER_PIECES, Group, Interval
from kelly.experiments.revisions import Run
from kelly.tasks import Task

LEGEND = """\
Loss, skill and primary_metric score: on the test side, from the metrics of each revision; of several seeds their mean, and ±
the standard deviation of a run. Difference: loss less that of the reference, {reference}; below 0 is better.
Intervals: 95 %; over pieces: had other test pieces been drawn (paired bootstrap); over seeds: had it been trained with
other seeds (Student's t). Better or worse is said only where all intervals that are known lie on one side of 0."""
MORE_SEEDS = """\
The spread over seeds is not known, as nothing was trained with two of them: {networks}.
Another seed alone could make such a difference. These commands tell, for the settings of the workspace:
  dvc exp run --queue -S 'training_seed=1,2,3'
  dvc queue start"""
ABSENT = "–"


def section(task: Task, found: Sequence[Group]) -> Iterator[str]:
    """All there is to say of a network; the first group is the reference."""
    yield task.title
    for group in found[1:]:
        yield from changes(found[0].runs[0], group.runs)
    yield from aligned(table(task, found))
    yield from doubts(found)


def changes(reference: Run, runs: Sequence[Run]) -> Iterator[str]:
    """What differs in settings and code between the reference and runs that differ in the seed alone."""
    first = runs[0]
    yield f"  {', '.join(run.name for run in runs)}, beside {reference.name}:"
    missing, found = Setting("", ABSENT), []
    for name in {**reference.settings, **first.settings}:
        before, after = (run.settings.get(name, missing) for run in (reference, first))
        if before.value != after.value:
            # A network's own key is longer than that of the shared setting in whose place it stands.
            found.append(f"{max(before.key, after.key, key=len)}: {plain(before.value)} -> {plain(after.value)}")
    if is_code_known := reference.export is not None and first.export is not None:
        for name, value in reference.export.code.items():
            if value != first.export.code[name]:
                found.append(f"{name}: {value} -> {first.export.code[name]}")
    for line in found or [f"the same settings{' and code' if is_code_known else ''}"]:
        yield f"    {line}"


def plain(value: Any) -> str:
    """A value as in params.yaml."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def table(task: Task, found: Sequence[Group]) -> Iterator[list[str]]:
    """The cells: a row a revision, and one more for each group of several."""
    primary_metric = task.primary_metric.replace("_", " ").replace("r2", "R²")
    yield ["revision", "seed", "epochs", "best", "loss", "skill (95 %)", primary_metric,
           "difference", "over pieces", "over seeds", ""]  # fmt: skip
    for number, group in enumerate(found):
        last = compared(group, is_reference=number == 0)
        if len(group.runs) == 1:
            yield [group.runs[0].name, *own(task, group.runs[0]), *last]
            continue
        for run in group.runs:
            yield [run.name, *own(task, run), "", "", "", ""]
        yield [*of_all(task, group), *last]


def own(task: Task, run: Run) -> list[str]:
    """A run's seed, epochs and scores."""
    scores, seed = run.scores, ABSENT if run.export is None else str(run.export.seed)
    epochs = [str(scores.get(key, ABSENT)) for key in ("epochs", "best_epoch")]
    return [seed, *epochs, number(scores, "loss", 6), skill(scores), number(scores, task.primary_metric, 3)]


def of_all(task: Task, group: Group) -> list[str]:
    """The mean of a group of runs, and the spread of its losses."""
    each = [cost.mean for cost in group.costs] or [run.scores.get("loss", math.nan) for run in group.runs]
    loss = f"{np.mean(each):.6f} ± {np.std(each, ddof=1):.6f}"
    mean = {
        name: float(np.mean([run.scores.get(name, math.nan) for run in group.runs]))
        for name in ("skill", task.primary_metric)
    }
    score = number(mean, task.primary_metric, 3)
    return [f"mean of {len(each)} seeds", "", "", "", loss, skill(group.scores or mean), score]


def compared(group: Group, is_reference: bool) -> list[str]:
    """The difference, its intervals, and what they say."""
    if group.difference is None:
        fault = "not comparable" + (f": {group.fault}" if group.fault == OTHER_PIECES else "")
        return [ABSENT, ABSENT, ABSENT, "reference" if is_reference else fault]
    d = group.difference
    return [signed(d.value), interval(d.pieces), interval(d.seeds), d.verdict]


def interval(ends: Interval | None) -> str:
    """Both ends."""
    return ABSENT if ends is None else " to ".join(signed(end) for end in ends)


def signed(value: float) -> str:
    """A difference of losses, with their decimals."""
    text = f"{value:+.6f}"
    return (text if float(text) else text[1:]).replace("-", "−")


def skill(scores: Mapping[str, Any]) -> str:
    """The skill with its interval where there is one."""
    if "skill_low" not in scores:
        return number(scores, "skill", 3)
    return f"{fixed(scores['skill'])} ({fixed(scores['skill_low'])} to {fixed(scores['skill_high'])})"


def number(scores: Mapping[str, Any], name: str, decimals: int) -> str:
    """A score, or that there is none."""
    return f"{scores[name]:.{decimals}f}".replace("-", "−") if name in scores else ABSENT


def doubts(found: Sequence[Group]) -> Iterator[str]:
    """Why something is not compared, and where a revision does not agree with itself, a line each."""
    yield from dict.fromkeys(f"  not comparable: {g.fault}" for g in found if g.fault not in ("", OTHER_PIECES))
    for group in found:
        for run in group.runs:
            for name, used in (run.export.training if run.export else {}).items():
                if name in run.settings and (said := run.settings[name].value) != used:
                    yield (f"  {run.name}: params.yaml says {name} {plain(said)}, but its export was trained with "
                           f"{plain(used)}; dvc repro there")  # fmt: skip
        for run, cost in zip(group.runs, group.costs, strict=False):
            if not math.isclose(said := run.scores.get("loss", cost.mean), cost.mean, rel_tol=1e-6):
                yield (f"  {run.name}: its metrics say a loss of {said:.6f}, but its export has {cost.mean:.6f} now; "
                       "dvc repro there")  # fmt: skip


def aligned(rows: Iterator[list[str]]) -> Iterator[str]:
    """Lines of cells under each other: the first and last to the left, others to the right."""
    cells = list(rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for first, *middle, last in cells:
        numbers = "  ".join(f"{cell:>{width}}" for cell, width in zip(middle, widths[1:-1], strict=True))
        yield f"  {first:<{widths[0]}}  {numbers}  {last}".rstrip()
