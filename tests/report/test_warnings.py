"""The rules that warn of results, on results that break one of them."""

import re
from dataclasses import replace
from typing import Any

import pytest
from support.small_results import HISTORY, small_results, with_metadata

from kelly.report.model_results import ModelResults
from kelly.report.warnings import find_shared_warnings, find_warnings
from kelly.tasks import TASKS


@pytest.mark.parametrize("name", TASKS)
def test_good_results_have_no_warning(name: str) -> None:
    assert find_warnings(small_results(name)) == []


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({"skill": -0.1, "skill_low": -0.2}, "Not better than the best constant"),
        ({"skill": 0.1, "skill_low": -0.2}, "Perhaps not better than the best constant"),
        ({"ridge_gap": -0.1, "ridge_gap_low": -0.2, "ridge_gap_high": -0.05}, "Ridge regression is better: .* 0.100"),
        ({"ridge_gap": 0.1, "ridge_gap_low": -0.2, "ridge_gap_high": 0.3}, "Ridge regression is as good"),
        ({"ridge_gap": -0.1, "ridge_gap_low": None}, "as good or better .loss gap −0.100.; too few"),
        ({"shuffled_gap_low": -0.1, "shuffled_gap_high": 0.1}, "does not depend on the inputs"),
        ({"num_test_pieces": 12}, "Only 12 test pieces"),
        ({"num_test_pieces": 1, "skill_low": None, "skill_high": None}, "Only 1 test piece: too few for an interval"),
        ({"parity_error": 2e-6}, "2.0e-06, near the limit of 1e-05"),
    ],
)
def test_weak_scores_have_one_warning(scores: dict[str, float | None], expected: str) -> None:
    (text,) = find_warnings(small_results(scores=scores))
    assert re.search(expected, text)


def with_history(results: ModelResults, **columns: list[float]) -> ModelResults:
    return replace(results, history=HISTORY | columns)


def test_a_best_epoch_that_is_the_last_asks_for_more_epochs() -> None:
    stopped = with_history(small_results(), val_loss=[0.9, 0.7, 0.6, 0.5])
    assert find_warnings(stopped) == []  # fewer than the 50 epochs allowed
    (text,) = find_warnings(with_metadata(stopped, params={**stopped.metadata["params"], "epochs": 4}))
    assert "dvc exp run -S models.groovepredictor.epochs=8" in text


def test_a_validation_loss_far_above_the_training_loss_is_overfitting() -> None:
    (text,) = find_warnings(with_history(small_results(), train_loss=[0.9, 0.6, 0.25, 0.1]))
    assert "Overfitting" in text
    assert "0.5, is 2.0 times" in text


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"data": {"splitting": {"shuffle_inputs": True}}}, "shuffle_inputs is on"),
        ({"data": {"sha256": "1" * 64}}, "other data"),
        ({"revision": "abc1234-modified"}, "uncommitted changes"),
        ({"revision": None}, "outside git"),
        ({"origin": "averaged from 5"}, "averaged from 5"),
    ],
)
def test_a_control_and_an_unknown_origin_have_a_warning(metadata: dict[str, Any], expected: str) -> None:
    results = small_results()
    if "data" in metadata:
        metadata = {"data": {**results.metadata["data"], **metadata["data"]}}
    (text,) = find_warnings(with_metadata(results, **metadata))
    assert expected in text


@pytest.mark.parametrize(("count", "expected"), [(1, []), (6, ["6 of 100 files were skipped"])])
def test_many_skipped_files_have_a_warning(count: int, expected: list[str]) -> None:
    skipped = [{"file": f"{i}.mid", "reason": "no notes"} for i in range(count)]
    texts = find_warnings(small_results(files=100, skipped=skipped))
    assert [text.partition(" (")[0] for text in texts] == expected


def test_networks_of_several_commits_have_a_warning() -> None:
    first, other = small_results(), with_metadata(small_results(), revision="1" * 40)
    assert find_shared_warnings({"a": first, "b": first}) == []
    assert "2 versions of the code" in find_shared_warnings({"a": first, "b": other})[0]
