"""The layout of an audio frame, and what the metadata says of all layouts."""

import json
from pkgutil import resolve_name

import numpy as np
import pytest

from kelly import features
from kelly.tasks import TASKS, Task


def test_full_scale_is_1_and_80_db_below_it_is_minus_1() -> None:
    np.testing.assert_array_equal(features.level_to_frame([-100, -80, -40, 0, 6]), [-1, -1, 0, 1, 1])


def test_bands_reach_from_20_hz_to_20_khz() -> None:
    np.testing.assert_allclose(features.band_position([20, 20_000]), [0, 128])


def test_the_mel_scale_is_1000_at_1000_hz() -> None:
    assert features.mel(1_000) == pytest.approx(1_000, abs=0.1)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_layout_covers_every_number_once(task: Task) -> None:
    layout = resolve_name(task.layout)()
    for side, size in (("inputs", task.num_inputs), ("outputs", task.num_outputs)):
        covered = [i for part in layout[side] for i in range(*part["positions"])]
        assert covered == list(range(size))
    json.dumps(layout, allow_nan=False)
