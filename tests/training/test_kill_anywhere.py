"""A run that is killed at any time and started again ends with the bytes of an uninterrupted one."""

from pathlib import Path

import pytest
from kill_anywhere import Trial, campaign, make_clone
from support.clone import Clone

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def clone(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return make_clone(project, tmp_path_factory.mktemp("killed"))


@pytest.mark.parametrize(
    ("command", "model"), [("repro", "dynamicsengine"), ("train_all_models.py", "groovepredictor")]
)
def test_a_killed_run_ends_like_an_uninterrupted_one(clone: Clone, command: str, model: str) -> None:
    assert campaign(Trial(clone, command, model), num_kills=2, seed=7) == (2, 2, [])
