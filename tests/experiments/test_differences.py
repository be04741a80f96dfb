"""What `kelly compare` finds between runs: what is one group, what is chance, what cannot be compared."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import t
from support.made_exports import TASK, a_run, export_of, made_data, written

from kelly.config.effective import settings
from kelly.experiments.compare import scored
from kelly.experiments.comparison_text import section
from kelly.experiments.differences import OTHER_PIECES, Difference, Group, groups, over_seeds
from kelly.experiments.revisions import Run, read_export
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS


def beside(*runs: Run) -> list[Group]:
    whole = made_data()
    parts = {side: whole.take(np.arange(i, 300, 3)) for i, side in enumerate(("train", "validation", "test"))}
    return scored(TASK, groups(runs), export_of(runs[0]).test_side, parts)


def verdicts(found: Sequence[Group]) -> list[str]:
    return [group.difference.verdict if group.difference else "" for group in found]


def test_runs_that_differ_in_the_seed_alone_are_one_group() -> None:
    runs = [a_run("a", seed=1), a_run("b", seed=2, learning_rate=0.1), a_run("c", seed=3), a_run("d", seed=1)]
    lost = Run("lost", {}, {}, {}, None, "its export is in no cache")
    found = groups([*runs, lost, replace(lost, name="lost too")])
    assert [[run.name for run in group] for group in found] == [["a", "c"], ["b"], ["d"], ["lost"], ["lost too"]]


def test_other_code_or_data_makes_another_group() -> None:
    first, other = a_run("a", seed=1), a_run("b", seed=2)
    export = export_of(other)
    assert len(groups([first, other])) == 1
    for changed in (replace(export, code={"training code": "b"}), replace(export, data={"sha256": "1" * 64})):
        assert len(groups([first, replace(other, export=changed)])) == 2


@pytest.mark.parametrize(
    ("pieces", "seeds", "verdict"),
    [
        ((-2, -1), None, "better"),
        ((1, 2), None, "worse"),
        ((-1, 2), None, "cannot be told apart"),
        ((-2, -1), (-3, -1), "better"),
        ((1, 2), (-1, 2), "cannot be told apart"),
        ((-2, -1), (1, 2), "cannot be told apart"),
        (None, (1, 2), "worse"),
        ((0, 0), None, "cannot be told apart"),
        (None, None, "cannot be told apart"),
    ],
)
def test_a_verdict_needs_all_known_intervals_on_one_side_of_zero(pieces: Any, seeds: Any, verdict: str) -> None:
    assert Difference(0.0, pieces, seeds).verdict == verdict


def test_the_interval_over_seeds_is_students_with_pooled_variance() -> None:
    assert over_seeds([1.0], [2.0]) is None
    three = [1.0, 2.0, 4.0]
    reach = t.ppf(0.975, 2) * np.std(three, ddof=1) * np.sqrt(1 + 1 / 3)
    assert over_seeds(three, [5.0]) == pytest.approx((7 / 3 - 5 - reach, 7 / 3 - 5 + reach))
    assert over_seeds([5.0], three) == pytest.approx((5 - 7 / 3 - reach, 5 - 7 / 3 + reach))
    assert over_seeds([1.0, 1.0], [2.0]) == pytest.approx((-1.0, -1.0))


def test_identical_networks_cannot_be_told_apart() -> None:
    found = beside(a_run("a", error=0.05), a_run("b", error=0.05))
    assert found[1].difference == Difference(0.0, (0.0, 0.0), None)
    assert verdicts(found) == ["", "cannot be told apart"]


def test_a_really_worse_network_is_worse_and_a_better_one_better() -> None:
    runs = [a_run("a", error=0.02), a_run("b", error=0.1, epochs=1), a_run("c", epochs=2)]
    found = beside(*runs)
    assert verdicts(found) == ["", "worse", "better"]
    (low, high), value = found[1].difference.pieces, found[1].difference.value  # type: ignore[union-attr,misc]
    assert 0 < low < value < high


def test_what_one_seed_promises_the_spread_of_others_takes_back() -> None:
    first = a_run("a", error=0.03)
    wide = [a_run(f"b{seed}", error=error, seed=seed, epochs=1) for seed, error in ((1, 0.04), (2, 0.1))]
    assert verdicts(beside(first, wide[0])) == ["", "worse"]
    found = beside(first, *wide)
    assert verdicts(found) == ["", "cannot be told apart"]
    difference = found[1].difference
    assert difference is not None
    assert difference.pieces is not None
    assert difference.pieces[0] > 0
    assert difference.value == pytest.approx(np.mean([c.mean for c in found[1].costs]) - found[0].costs[0].mean)
    text = "\n".join(section(TASK, found))
    assert re.search(r"mean of 2 seeds +0\.\d{6} ± 0\.\d{6} .* cannot be told apart", text)


def test_several_seeds_on_both_sides_give_both_intervals() -> None:
    runs = [a_run(f"{error}{seed}", error=error, seed=seed, epochs=int(100 * error))
            for error in (0.02, 0.08) for seed in (1, 2, 3)]  # fmt: skip
    found = beside(*runs)
    assert [len(group.runs) for group in found] == [3, 3]
    assert verdicts(found) == ["", "worse"]
    assert found[1].difference is not None
    assert found[1].difference.seeds is not None


def test_other_test_pieces_are_not_compared_and_another_share_of_validation_is() -> None:
    first, other = a_run("a"), a_run("b", error=0.1, epochs=1)
    for change, faults in (
        ({"test_split": 0.3}, ["", OTHER_PIECES]),
        ({"seed": 2}, ["", OTHER_PIECES]),
        ({"shuffle_inputs": True}, ["", OTHER_PIECES]),
        ({"validation_split": 0.1}, ["", ""]),
    ):
        export = export_of(other)
        changed = replace(export, splitting=export.splitting.model_copy(update=change))
        found = beside(first, replace(other, export=changed))
        assert [group.fault for group in found] == faults
    assert "not comparable: other test pieces" in "\n".join(
        section(TASK, beside(first, replace(other, export=replace(export_of(other), sha256="1" * 64))))
    )


def test_settings_are_those_that_touch_the_network() -> None:
    params = {
        "epochs": 50,
        "learning_rate": 0.001,
        "training_seed": 3,
        "extraction": {"num_workers": 2},
        "models": {
            "groovepredictor": {
                "epochs": None,
                "learning_rate": 0.002,
                "data": {"source": "synthetic", "synthetic": {"num_sequences": 9}, "midi": {"path": "x"}},
            },
            "dynamicsengine": {"epochs": 7},
        },
    }
    assert [tuple(setting) for setting in settings(params, "groovepredictor").values()] == [
        ("epochs", 50),
        ("models.groovepredictor.learning_rate", 0.002),
        ("models.groovepredictor.data.source", "synthetic"),
        ("models.groovepredictor.data.synthetic.num_sequences", 9),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is not JSON"),
        (b"{}", "there is no network"),
        (written().replace(b'"splitting"', b'"divided"'), "does not say how it was trained"),
        (written().replace(b'"params"', b'"settings"'), "does not say how it was trained"),
    ],
)
def test_an_export_that_does_not_say_what_it_is_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(KellyError, match=message):
        read_export(TASK, content)


def test_an_export_of_another_network_is_refused() -> None:
    with pytest.raises(KellyError, match=r"found \(64, 32\) inputs and outputs, expected \(128, 64\)"):
        read_export(TASKS["emotionrecognizer"], written())
