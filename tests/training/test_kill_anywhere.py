"""A run that is killed at any time and started again ends with the bytes of an uninterrupted one."""

from pathlib import Path

import pytest
from kill_anywhere import Campaign
from support.kill_cases import CASES, fresh

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def clone(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fresh(project, tmp_path_factory.mktemp("killed")).folder


@pytest.mark.parametrize("name", ["repro dynamicsengine", "train_all_models.py groovepredictor"])
def test_a_killed_run_ends_like_an_uninterrupted_one(clone: Path, tmp_path: Path, name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    result = Campaign(case, clone, tmp_path / "runs", seed=7).run(2)
    assert (result.kills, result.same, result.left_over, result.failures) == (2, 2, [], [])
