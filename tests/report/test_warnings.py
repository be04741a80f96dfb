"""What the page warns of: each rule speaks where it should, and is silent where all is well."""

from dataclasses import replace
from typing import Any

import pytest
from support.small_results import HISTORY, facts

from kelly.report.model_results import Facts
from kelly.report.warnings import cautions, of_all
from kelly.tasks import TASKS


@pytest.mark.parametrize("name", TASKS)
def test_good_results_need_no_warning(name: str) -> None:
    assert cautions(facts(name)) == []


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({"skill": -0.1, "skill_low": -0.2}, "no better than the best constant: nothing was learned"),
        ({"skill": 0.1, "skill_low": -0.2}, "may be no better than the best constant"),
        ({"ridge_gap": -0.1, "ridge_gap_low": -0.2, "ridge_gap_high": -0.05}, "Ridge regression does better, by 0.100"),
        ({"ridge_gap": 0.1, "ridge_gap_low": -0.2, "ridge_gap_high": 0.3}, "Ridge regression does as well"),
        ({"ridge_gap": -0.1, "ridge_gap_low": None}, "does as well or better, by 0.100 of the loss; too few"),
        ({"shuffled_gap_low": -0.1, "shuffled_gap_high": 0.1}, "does not come from its inputs"),
        ({"num_test_pieces": 12}, "12 test pieces only"),
        ({"num_test_pieces": 1, "skill_low": None, "skill_high": None}, "1 test piece: too few for an interval"),
        ({"parity_error": 2e-6}, "differ by up to 2.0e-06, near the limit of 1e-05"),
    ],
)
def test_scores_that_say_little_are_told(scores: dict[str, float | None], said: str) -> None:
    found = cautions(facts(scores=scores))
    assert len(found) == 1
    assert said in found[0]


def changed(history: dict[str, list[float]] | None = None, **metadata: Any) -> Facts:
    whole = facts()
    return replace(whole, history=HISTORY | (history or {}), metadata={**whole.metadata, **metadata})


def test_a_best_epoch_that_is_the_last_asks_for_more_epochs() -> None:
    falling = {"val_loss": [0.9, 0.7, 0.6, 0.5]}
    params = {**facts().metadata["params"], "epochs": 4}
    (found,) = cautions(changed(falling, params=params))
    assert "Its best epoch is the last, 4" in found
    assert "dvc exp run -S models.groovepredictor.epochs=8" in found
    assert cautions(changed(falling)) == []  # more were allowed: it was stopped


def test_a_validation_loss_far_above_training_tells_of_learning_by_heart() -> None:
    (found,) = cautions(changed({"train_loss": [0.9, 0.6, 0.25, 0.1]}))
    assert "0.5, is 2.0 times the training loss" in found


def test_the_control_and_its_origin_are_told() -> None:
    whole = facts()
    control = {**whole.metadata["data"], "splitting": {"shuffle_inputs": True}}
    assert "shuffle_inputs is on" in cautions(changed(data=control))[0]
    assert "not committed" in cautions(changed(revision="abc1234-modified"))[0]
    assert "outside git" in cautions(changed(revision=None))[0]
    assert "averaged from 5" in cautions(changed(origin="averaged from 5"))[0]
    other = {**whole.metadata["data"], "sha256": "1" * 64}
    assert "those of other data" in cautions(changed(data=other))[0]


@pytest.mark.parametrize(("number", "is_told"), [(1, False), (6, True)])
def test_many_skipped_files_are_told(number: int, is_told: bool) -> None:
    skipped = [{"file": f"{i}.mid", "reason": "no notes"} for i in range(number)]
    whole = facts()
    found = cautions(replace(whole, about={**whole.about, "facts": {"files": 100, "skipped": skipped}}))
    assert [text.startswith("6 of 100 files were skipped, 6%") for text in found] == [True] * is_told


def test_networks_of_several_commits_are_told() -> None:
    assert of_all({"a": changed(), "b": changed()}) == []
    assert "2 states of the code" in of_all({"a": changed(), "b": changed(revision="1" * 40)})[0]
