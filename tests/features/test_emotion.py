"""The embedding and its inverse, and the decayed mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kelly.features.context import decayed_mean
from kelly.features.emotion import COORDINATES, decode, decode_block, embed, usual_coordinates

coordinates = arrays(np.float64, 9, elements=st.floats(-1, 1))


@given(coordinates)
def test_decode_is_the_inverse_of_embed_which_stays_in_range(c: np.ndarray) -> None:
    assert np.abs(embed(c)).max() < 1
    np.testing.assert_allclose(decode(embed(c)), c, rtol=0, atol=1e-12)
    np.testing.assert_allclose(decode(embed(c).astype(np.float32)), c, rtol=0, atol=1e-4)


@given(coordinates, st.sampled_from([0, 1]))
def test_either_half_encodes_all_nine_coordinates(c: np.ndarray, block: int) -> None:
    total, weight = decode_block(embed(c)[32 * block : 32 * block + 32], block)
    np.testing.assert_allclose(total / weight, c, rtol=0, atol=1e-12)


@pytest.mark.parametrize("block", [0, 1])
def test_the_mean_of_a_block_rises_with_its_main_coordinate(block: int) -> None:
    grid = np.full((21, 9), 0.3)
    grid[:, block] = np.linspace(-1, 1, 21)
    means = embed(grid)[:, 32 * block : 32 * block + 32].mean(axis=1)
    assert (np.diff(means) > 0).all()


def test_an_embedding_of_saturated_units_decodes_to_finite_coordinates() -> None:
    assert np.isfinite(decode([np.ones(64), np.zeros(64)])).all()


def test_wrong_sizes_are_rejected() -> None:
    with pytest.raises(ValueError, match="expected"):
        embed(np.zeros(8))
    with pytest.raises(ValueError, match="expected"):
        decode(np.zeros(63))


def test_usual_coordinates_follow_the_signs_of_the_literature() -> None:
    lively, calm = usual_coordinates(0.0, 1.0), usual_coordinates(0.0, -1.0)
    rise = dict(zip(COORDINATES, lively - calm, strict=True))
    assert min(rise["loudness"], rise["spread"], rise["beat"]) > 0 > rise["articulation"]


@pytest.mark.parametrize(("decay", "expected"), [(0.5, [0, 1, 0.5 / 1.5, 0.25 / 0.75]), (1.0, [0, 1, 0.5, 0.5])])
def test_the_decayed_mean_is_that_of_the_earlier_known_steps(decay: float, expected: list[float]) -> None:
    mean = decayed_mean(np.array([[1.0], [0.0], [np.nan], [5.0]]), decay)
    np.testing.assert_allclose(mean[:, 0], expected)
