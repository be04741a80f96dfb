"""`kelly compare`: settings, scores and loss curves of revisions, and the significance of their differences."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from kelly.config.effective import settings
from kelly.data.dataset import Dataset, Sequences
from kelly.data.loading import load_with_indices
from kelly.data.splits import split_dataset
from kelly.evaluation.bootstrap import intervals
from kelly.evaluation.evaluate import as_scores, compute_losses
from kelly.evaluation.metrics import Predictions
from kelly.experiments.comparison_plot import draw
from kelly.experiments.comparison_text import LEGEND, MORE_SEEDS, section
from kelly.experiments.differences import OTHER_TEST_SPLIT, Group, difference, group_runs, mean_loss_sums
from kelly.experiments.revisions import WORKSPACE, Revision, Run
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS, Task


def compare(names: Sequence[str], models: Sequence[str] | None, plot: Path) -> None:
    """Print how the networks of revisions differ, and plot their losses.

    names: the first is the reference; a single one is compared with the workspace
    models: None: those that differ
    Raises KellyError where a revision is unknown or has no results of a network.
    """
    names = list(dict.fromkeys(names))
    if names == [WORKSPACE]:
        raise KellyError("the workspace cannot be compared with itself; name a git revision, such as HEAD, or a DVC "
                         "experiment")  # fmt: skip
    revisions = [Revision(name) for name in (names if len(names) > 1 else [*names, WORKSPACE])]
    tasks = [TASKS[name] for name in TASKS if name in models] if models else changed_tasks(revisions)
    compared, single_seed = [], []
    for task in tasks:
        groups = compare_groups(task, group_runs([revision.run(task) for revision in revisions]), revisions[0])
        print("\n" + "\n".join(section(task, groups)), flush=True)
        compared.append((task, [group.runs for group in groups]))
        if any(group.difference for group in groups) and all(len(group.runs) == 1 for group in groups):
            single_seed.append(task.title)
    if compared:
        print(f"\n{LEGEND.format(reference=revisions[0].name)}")
        if single_seed:
            print(f"\n{MORE_SEEDS.format(networks=', '.join(single_seed))}")
        draw(plot, compared)
        print(f"\nPlot: {plot}")


def changed_tasks(revisions: Sequence[Revision]) -> list[Task]:
    """The networks whose export or metrics differ between the revisions; prints which are identical."""
    changed, identical, messages = [], [], list[str]()
    reference = revisions[0]
    for task in TASKS.values():
        first, *others = ((revision.export(task), revision.scores(task)) for revision in revisions)
        if any(other != first for other in others):
            changed.append(task)
        elif first != (None, {}):
            identical.append(task.title)
            messages += [
                f"{task.title}: {revision.name} has other settings than {reference.name} but the same results; run the "
                "pipeline with them: kelly repro"
                for revision in revisions[1:]
                if settings(revision.params, task.name) != settings(reference.params, task.name)
            ]
    names = ", ".join(revision.name for revision in revisions)
    if not changed and not identical:
        raise KellyError(f"{names}: found no results of any network; run the pipeline: kelly repro")
    if identical:
        print("\n".join([f"Identical in {names}: {', '.join(identical)}", *messages]))
    return changed


def compare_groups(task: Task, groups: Sequence[Sequence[Run]], revision: Revision) -> list[Group]:
    """Compare groups of runs with the first, on the data of its export. revision: that of the first run."""
    first = groups[0][0]
    if first.export is None:
        return [Group(runs, error=f"{first.name}: {first.error}") for runs in groups]
    s = first.export.splitting
    try:
        with revision.data(task, first.export.sha256) as folder:
            indices = split_dataset(Dataset.load(folder), s.seed, s.validation_split, s.test_split)
            data = load_with_indices(folder, indices, s)
    except KellyError as error:
        return [Group(runs, error=str(error)) for runs in groups]
    return score_groups(task, groups, data)


def score_groups(task: Task, groups: Sequence[Sequence[Run]], data: Mapping[str, Sequences]) -> list[Group]:
    """Score groups of runs on the test split of `data`, that of the first, and compare them with the first."""
    test, reference = data["test"], groups[0][0].export
    pieces = np.unique(test.groups, return_inverse=True)[1]
    compared: list[Group] = []
    for runs in groups:
        exports = [run.export for run in runs if run.export is not None]
        if not exports or reference is None or exports[0].test_fingerprint != reference.test_fingerprint:
            error = OTHER_TEST_SPLIT if exports else f"{runs[0].name}: {runs[0].error}"
            compared.append(Group(runs, error=error))
            continue
        each = [compute_losses(task, Predictions(test, export.model.run(test.inputs)), data) for export in exports]
        losses, (_, baseline, floor) = [network for network, _, _ in each], each[0]
        others = {"reference": mean_loss_sums(compared[0].losses)} if compared else {}
        scores = as_scores(mean_loss_sums(losses), baseline, floor)
        scores |= intervals(mean_loss_sums(losses), baseline, floor, others, pieces)
        result = difference(losses, compared[0].losses, scores) if compared else None
        compared.append(Group(runs, losses, scores, result))
    return compared
