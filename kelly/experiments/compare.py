"""`kelly compare`: settings, scores and curves of revisions side by side, and what of a difference may be chance."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kelly.config.effective import settings
from kelly.data import splits
from kelly.data.dataset import Dataset, Sequences
from kelly.data.loading import load_with_indices
from kelly.evaluation.bootstrap import intervals
from kelly.evaluation.evaluate import as_scores, costs
from kelly.evaluation.metrics import Predicted
from kelly.experiments.comparison_text import LEGEND, MORE_SEEDS, section
from kelly.experiments.differences import OTHER_PIECES, Group, difference, groups, mean
from kelly.experiments.revisions import WORKSPACE, Export, Revision, Run
from kelly.plots.comparison import draw
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS, Task


def compare(names: Sequence[str], models: Sequence[str] | None, picture: Path) -> None:
    """Print how networks of revisions differ, and draw their losses.

    names: the first is the reference; one alone is compared with the workspace. models: None: those that differ
    Raises KellyError where a revision is not known or holds nothing of a network.
    """
    names = list(dict.fromkeys(names))
    if names == [WORKSPACE]:
        raise KellyError("the workspace cannot be compared with itself; name a git revision or an experiment, HEAD say")
    revisions = [Revision(name) for name in (names if len(names) > 1 else [*names, WORKSPACE])]
    chosen = [TASKS[name] for name in TASKS if name in models] if models else different(revisions)
    drawn, once = [], []
    for task in chosen:
        found = beside(task, groups([revision.run(task) for revision in revisions]), revisions[0])
        print("\n" + "\n".join(section(task, found)), flush=True)
        drawn.append((task, [group.runs for group in found]))
        if any(group.difference for group in found) and all(len(group.runs) == 1 for group in found):
            once.append(task.title)
    if drawn:
        print(f"\n{LEGEND.format(reference=revisions[0].name)}")
        if once:
            print(f"\n{MORE_SEEDS.format(networks=', '.join(once))}")
        draw(picture, drawn)
        print(f"\nPicture of the losses: {picture}")


def different(revisions: Sequence[Revision]) -> list[Task]:
    """The networks whose export or metrics are not the same in all revisions; say which are."""
    found, same = [], []
    not_run: list[str] = []
    for task in TASKS.values():
        first, *others = ((revision.export(task), revision.scores(task)) for revision in revisions)
        if any(other != first for other in others):
            found.append(task)
        elif first != (None, {}):
            same.append(task.title)
            reference = settings(revisions[0].params, task.name)
            not_run += [
                f"{task.title}: {revision.name} has other settings than {revisions[0].name}, but the same results: "
                "it was not run with them (kelly repro)"
                for revision in revisions[1:]
                if settings(revision.params, task.name) != reference
            ]
    names = ", ".join(revision.name for revision in revisions)
    if not found and not same:
        raise KellyError(f"{names}: found no results of a network, expected some; run the pipeline: kelly repro")
    if same:
        print(f"Identical in {names}: {', '.join(same)}")
        print("".join(f"{line}\n" for line in not_run), end="")
    return found


def beside(task: Task, found: Sequence[Sequence[Run]], revision: Revision) -> list[Group]:
    """Groups of runs, scored beside the first, on the data of its export.

    revision: of the first run of all
    """
    first = found[0][0]
    if first.export is None:
        return [Group(runs, fault=f"{first.name}: {first.fault}") for runs in found]
    try:
        parts = parts_of(task, first.export, revision)
    except KellyError as error:
        return [Group(runs, fault=str(error)) for runs in found]
    return scored(task, found, first.export.test_side, parts)


def parts_of(task: Task, export: Export, revision: Revision) -> dict[str, Sequences]:
    """The sides that an export was trained, chosen and scored on, divided as they were then."""
    s = export.splitting
    with revision.data(task, export.sha256) as folder:
        rows = splits.split_dataset(Dataset.load(folder), s.seed, s.validation_split, s.test_split)
        return load_with_indices(folder, rows, s)


def scored(
    task: Task, found: Sequence[Sequence[Run]], test_side: tuple[object, ...], parts: Mapping[str, Sequences]
) -> list[Group]:
    """Groups of runs, scored beside the first on the test side of `parts`, which is told by `test_side`."""
    test = parts["test"]
    pieces = np.unique(test.groups, return_inverse=True)[1]
    compared: list[Group] = []
    for runs in found:
        exports = [run.export for run in runs if run.export is not None]
        if not exports or exports[0].test_side != test_side:
            fault = OTHER_PIECES if exports else f"{runs[0].name}: {runs[0].fault}"
            compared.append(Group(runs, fault=fault))
            continue
        each = [costs(task, Predicted(test, export.model.run(test.inputs)), parts) for export in exports]
        own, (_, baseline, floor) = [network for network, _, _ in each], each[0]
        others = {"reference": mean(compared[0].costs)} if compared else {}
        scores = as_scores(mean(own), baseline, floor)
        scores |= intervals(mean(own), baseline, floor, others, pieces)
        beside_it = difference(own, compared[0].costs, scores) if compared else None
        compared.append(Group(runs, own, scores, beside_it))
    return compared
