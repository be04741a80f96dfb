"""A run that is killed at any time and started again ends with the bytes of an uninterrupted one."""

from pathlib import Path

import pytest
from kill_anywhere import COMMANDS, MODELS, Trial, campaign, make_clone
from support.clone import Clone

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def clone(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return make_clone(project, tmp_path_factory.mktemp("killed"))


@pytest.mark.parametrize(
    ("command", "model", "num_kills"),
    [
        (COMMANDS[0], MODELS[1], 2),
        (COMMANDS[0], MODELS[0], 2),
        (COMMANDS[2], MODELS[0], 4),
        (COMMANDS[0], MODELS[2], 2),
    ],
)
def test_a_killed_run_ends_like_an_uninterrupted_one(clone: Clone, command: str, model: str, num_kills: int) -> None:
    assert campaign(Trial(clone, command, model), num_kills, seed=7) == (num_kills, num_kills, [])
