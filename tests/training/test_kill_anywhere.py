"""A run that is killed at any instant, and started again, ends with the bytes of an unbroken one."""

from pathlib import Path

import pytest
from kill_anywhere import MODELS, WAYS, Trial, a_clone, campaign
from support.clone import Clone

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def clone(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return a_clone(project, tmp_path_factory.mktemp("killed"))


@pytest.mark.parametrize(
    ("way", "model", "num_kills"),
    [(WAYS[0], MODELS[1], 2), (WAYS[0], MODELS[0], 2), (WAYS[2], MODELS[0], 4), (WAYS[0], MODELS[2], 2)],
)
def test_a_killed_run_ends_like_an_unbroken_one(clone: Clone, way: str, model: str, num_kills: int) -> None:
    assert campaign(Trial(clone, way, model), num_kills, seed=7) == (num_kills, num_kills, [])
