"""What is heard in the corners of the emotion plane: means, and whether they move the right way beyond chance."""

import numpy as np
import pytest
from support.made_networks import exports

from kelly.audition.quadrants import CORNERS, NUM_SEEDS, QUANTITIES, corners, in_words, moves, table

ORDER = [(-1, 1), (1, 1), (-1, -1), (1, -1)]  # valence and arousal of the corners


def made(**slopes: tuple[float, float]) -> np.ndarray:
    """Figures that follow valence and arousal by given slopes, with noise."""
    found = np.random.default_rng(0).normal(0, 0.5, (4, NUM_SEEDS, len(QUANTITIES)))
    for name, (valence, arousal) in slopes.items():
        found[..., QUANTITIES.index(name)] += np.array([v * valence + a * arousal for v, a in ORDER])[:, None]
    return found


def test_the_corners_stand_in_the_order_that_the_sums_take_them_in() -> None:
    assert [(np.sign(v), np.sign(a)) for v, a in CORNERS.values()] == ORDER


def test_each_quantity_is_judged_along_its_own_axis() -> None:
    found = made(mean_pitch=(2, 5), minor_chords=(1, -5), notes_per_s=(9, -3))
    verdicts = {move.quantity: move.verdict for move in moves(found)}
    assert verdicts == {
        "notes_per_s": "the wrong way",
        "mean_velocity": "cannot be told",
        "mean_pitch": "the right way",
        "minor_chords": "the wrong way",
        "minor_thirds": "cannot be told",
    }
    pitch = next(move for move in moves(found) if move.quantity == "mean_pitch")
    assert pitch.low < pitch.mean < pitch.high
    assert pitch.mean == pytest.approx(4, abs=0.3)


def test_phrases_without_thirds_do_not_count() -> None:
    found = made(minor_thirds=(-2, 0))
    found[0, : NUM_SEEDS - 3, QUANTITIES.index("minor_thirds")] = np.nan
    thirds = next(move for move in moves(found) if move.quantity == "minor_thirds")
    assert thirds.verdict == "the right way"
    found[..., QUANTITIES.index("minor_thirds")] = np.nan
    thirds = next(move for move in moves(found) if move.quantity == "minor_thirds")
    assert thirds.verdict == "cannot be told"
    assert "–" in table(found)


def test_one_phrase_tells_no_direction() -> None:
    found = made(minor_thirds=(-2, 0))
    found[0, 1:, QUANTITIES.index("minor_thirds")] = np.nan
    thirds = next(move for move in moves(found) if move.quantity == "minor_thirds")
    assert thirds.verdict == "cannot be told"


def test_the_table_has_a_line_a_corner_and_a_line_a_quantity() -> None:
    lines = table(corners(exports().models)).splitlines()
    assert [line[:3] for line in lines[1:5]] == ["ten", "exc", "sad", "cal"]
    assert lines[1].split()[-6] == "139"
    assert len(lines) == 1 + 4 + 5
    found = made(mean_pitch=(1, 0))
    pitch = next(move for move in moves(found) if move.quantity == "mean_pitch")
    assert in_words(pitch).startswith("mean pitch, which should go up with valence: the right way (+")
