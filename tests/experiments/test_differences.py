"""Comparing runs: groups that differ only in the seed, significance of differences, and what is not comparable."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import t
from support.noisy_exports import TASK, export_bytes, export_of, noisy_run, sequences

from kelly.experiments.compare import score_groups
from kelly.experiments.comparison_text import section
from kelly.experiments.differences import OTHER_TEST_SPLIT, Difference, Group, group_runs, seed_interval
from kelly.experiments.revisions import Run, read_export
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS, Task


def compare_runs(*runs: Run) -> list[Group]:
    data = sequences()
    splits = {split: data.take(np.arange(i, 300, 3)) for i, split in enumerate(("train", "validation", "test"))}
    return score_groups(TASK, group_runs(runs), splits)


def comparisons(groups: Sequence[Group]) -> list[str]:
    return [group.difference.comparison if group.difference else "" for group in groups]


def test_runs_that_differ_only_in_the_seed_are_one_group() -> None:
    first, export = noisy_run("a", seed=1), export_of(noisy_run("", seed=4))
    lost = Run("lost", {}, {}, {}, None, "its export is not in the DVC cache")
    runs = [
        first,
        noisy_run("settings", seed=2, learning_rate=0.1),
        noisy_run("b", seed=3),
        noisy_run("again", seed=1),
        replace(first, name="code", export=replace(export, code={"training code": "b"})),
        replace(first, name="data", export=replace(export, data={"sha256": "1" * 64})),
        lost,
        replace(lost, name="lost too"),
    ]
    names = [[run.name for run in group] for group in group_runs(runs)]
    assert names == [["a", "b"], *([run.name] for run in runs if run.name not in ("a", "b"))]


@pytest.mark.parametrize(
    ("pieces", "seeds", "comparison"),
    [
        ((-2, -1), None, "better"),
        ((1, 2), None, "worse"),
        ((-1, 2), None, "no difference"),
        ((-2, -1), (-3, -1), "better"),
        ((1, 2), (-1, 2), "no difference"),
        ((-2, -1), (1, 2), "no difference"),
        (None, (1, 2), "worse"),
        ((0, 0), None, "no difference"),
        (None, None, "unknown"),
    ],
)
def test_better_or_worse_needs_all_known_intervals_on_one_side_of_zero(
    pieces: Any, seeds: Any, comparison: str
) -> None:
    assert Difference(0.0, pieces, seeds).comparison == comparison


def test_the_interval_over_seeds_is_students_t_with_pooled_variance() -> None:
    assert seed_interval([1.0], [2.0]) is None
    three = [1.0, 2.0, 4.0]
    reach = t.ppf(0.975, 2) * np.std(three, ddof=1) * np.sqrt(1 + 1 / 3)
    assert seed_interval(three, [5.0]) == pytest.approx((7 / 3 - 5 - reach, 7 / 3 - 5 + reach))
    assert seed_interval([5.0], three) == pytest.approx((5 - 7 / 3 - reach, 5 - 7 / 3 + reach))
    assert seed_interval([1.0, 1.0], [2.0]) == pytest.approx((-1.0, -1.0))


def test_a_worse_network_is_worse_a_better_one_better_and_an_identical_one_does_not_differ() -> None:
    groups = compare_runs(noisy_run("a", 0.02), noisy_run("b", 0.1, epochs=1), noisy_run("c"), noisy_run("d", 0.02))
    assert comparisons(groups) == ["", "worse", "better", "no difference"]
    assert groups[3].difference == Difference(0.0, (0.0, 0.0), None)
    (low, high), value = groups[1].difference.pieces, groups[1].difference.value  # type: ignore[union-attr,misc]
    assert 0 < low < value < high


def test_variation_between_seeds_can_outweigh_a_difference_over_pieces() -> None:
    first = noisy_run("a", error=0.03)
    varied = [noisy_run(f"b{seed}", error=error, seed=seed, epochs=1) for seed, error in ((1, 0.04), (2, 0.1))]
    assert comparisons(compare_runs(first, varied[0])) == ["", "worse"]
    groups = compare_runs(first, *varied)
    assert comparisons(groups) == ["", "no difference"]
    difference, mean = groups[1].difference, np.mean([loss.mean for loss in groups[1].losses])
    assert difference.pieces[0] > 0  # type: ignore[union-attr,index]
    assert difference.value == pytest.approx(mean - groups[0].losses[0].mean)  # type: ignore[union-attr]
    text = "\n".join(section(TASK, groups))
    assert re.search(r"mean of 2 seeds +0\.\d{6} ± 0\.\d{6} .* no difference", text)


def test_several_seeds_in_both_groups_give_both_intervals() -> None:
    runs = [noisy_run(f"{error}{seed}", error=error, seed=seed, epochs=int(100 * error))
            for error in (0.02, 0.08) for seed in (1, 2, 3)]  # fmt: skip
    groups = compare_runs(*runs)
    assert [len(group.runs) for group in groups] == [3, 3]
    assert comparisons(groups) == ["", "worse"]
    assert groups[1].difference.seeds is not None  # type: ignore[union-attr]


def test_another_test_split_is_not_comparable_but_another_validation_split_is() -> None:
    first, other = noisy_run("a"), noisy_run("b", error=0.1, epochs=1)
    for change, errors in (
        ({"test_split": 0.3}, ["", OTHER_TEST_SPLIT]),
        ({"seed": 2}, ["", OTHER_TEST_SPLIT]),
        ({"shuffle_inputs": True}, ["", OTHER_TEST_SPLIT]),
        ({"validation_split": 0.1}, ["", ""]),
    ):
        export = export_of(other)
        changed = replace(export, splitting=export.splitting.model_copy(update=change))
        groups = compare_runs(first, replace(other, export=changed))
        assert [group.error for group in groups] == errors
    assert "not comparable: other test split" in "\n".join(
        section(TASK, compare_runs(first, replace(other, export=replace(export_of(other), sha256="1" * 64))))
    )


@pytest.mark.parametrize(
    ("task", "content", "message"),
    [
        (TASK, b"{", "is not JSON"),
        (TASK, b"{}", "contains no network"),
        (TASK, export_bytes().replace(b'"splitting"', b'"divided"'), "does not describe its training"),
        (TASK, export_bytes().replace(b'"params"', b'"settings"'), "does not describe its training"),
        (TASKS["emotionrecognizer"], export_bytes(), r"found \(64, 32\) inputs and outputs, expected \(128, 64\)"),
    ],
)
def test_a_broken_export_or_one_of_another_network_is_rejected(task: Task, content: bytes, message: str) -> None:
    with pytest.raises(KellyError, match=message):
        read_export(task, content)
