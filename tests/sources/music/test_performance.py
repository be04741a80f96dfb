"""Measurements of how a passage is played: expression, accents, articulation and coordinates."""

import numpy as np
import pytest

from kelly.features.emotion import COORDINATES
from kelly.features.vocabulary import DRUM_DYNAMICS, DYNAMICS
from kelly.sources.music.performance import articulations, coordinates_of, drum_dynamics_of, dynamics_of, groove_of
from kelly.sources.readers.midi import Notes


def notes_of(
    onset_s: list[float],
    velocity: list[int],
    pitch: list[int] | None = None,
    duration_s: float = 0.1,
    is_drum: bool = False,
) -> Notes:
    onset, n = np.array(onset_s, dtype=np.float64), len(onset_s)
    duration = np.full(n, duration_s)
    pitches, velocities = np.array(pitch or [60] * n, dtype=np.int64), np.array(velocity, dtype=np.int64)
    track = np.zeros(n, dtype=np.int64)
    return Notes(2 * onset, 2 * duration, onset, duration, pitches, velocities, np.full(n, is_drum), track, track)


def test_accents_are_relative_to_the_mean_of_the_bar() -> None:
    measured = groove_of(np.array([0.0, 4.0, 8.0, 12.0]), np.array([50, 100, 50, 100]))
    np.testing.assert_allclose(measured[[16, 20, 24, 28]], [-1 / 3, 1 / 3, -1 / 3, 1 / 3])


def test_drum_dynamics_are_the_accents_of_the_bar() -> None:
    assert len(DYNAMICS) == len(DRUM_DYNAMICS) == 16
    assert [i for i in range(16) if DYNAMICS[i] != DRUM_DYNAMICS[i]] == [6, 7, 15]
    notes = notes_of([0.0, 0.5, 1.0, 1.5], [64, 80, 64, 80])
    values = drum_dynamics_of(notes, np.array([0, 4, 8, 12]))
    measured = {name: value for (name, _), value in zip(DRUM_DYNAMICS, values, strict=True)}
    assert measured["mean_velocity"] == pytest.approx(72 / 127)
    assert measured["velocity_sd"] == pytest.approx(16 / 127)
    assert measured["downbeat_accent"] == pytest.approx(0.5 - 0.5 * 8 / 32)
    assert measured["backbeat_accent"] == pytest.approx(0.5 + 0.5 * 8 / 32)
    assert np.isnan(measured["offbeat_accent"])
    assert measured["crescendo"] == 0.5
    assert measured["articulation"] == pytest.approx(0.1)  # 0.1 s of 0.5 s
    assert measured["rhythm_sd"] == pytest.approx(0.0, abs=1e-9)
    assert np.isnan(measured["chord_spread"])
    assert measured["velocity_step"] == pytest.approx(16 / 64)


def test_a_crescendo_of_the_whole_span_is_one() -> None:
    notes = notes_of([0.0, 0.5, 1.0, 1.5], [40, 40, 72, 72])
    assert drum_dynamics_of(notes, np.array([0, 4, 8, 12]))[5] == 1.0
    assert dynamics_of(notes, middle_s=1.0)[5] == 1.0
    assert np.isnan(dynamics_of(notes, middle_s=2.0)[5])


def test_pitched_dynamics_follow_pitch() -> None:
    rising = dynamics_of(notes_of([0.0, 1.0, 2.0, 3.0], [60, 64, 68, 72], [50, 54, 58, 62]), middle_s=2.0)
    assert rising[6] > 0.5 > rising[7]
    assert rising[15] == pytest.approx(1.0)
    assert np.isnan(dynamics_of(notes_of([0.0, 1.0], [60, 70]), middle_s=0.5)[[6, 7, 15]]).all()
    assert np.isnan(dynamics_of(notes_of([], []), middle_s=0.5)).all()


def test_a_spread_chord_is_one_onset() -> None:
    notes = notes_of([0.0, 0.02, 1.0, 1.04], [80] * 4, duration_s=0.5)
    np.testing.assert_allclose(articulations(notes)[0], 0.5)
    assert dynamics_of(notes, middle_s=0.5)[12] == pytest.approx(0.6)


def coordinates(notes: Notes, is_melody: bool, notes_per_s: float = 1.0, bpm: float = 120.0) -> dict[str, float]:
    """Of one window, by name."""
    window = np.zeros(len(notes), dtype=np.intp)
    mask = np.full(len(notes), is_melody)
    values = coordinates_of(notes, mask, window, np.array([notes_per_s]), np.array([bpm]))
    return dict(zip(COORDINATES, values[0].tolist(), strict=True))


def test_drums_have_neither_register_nor_articulation() -> None:
    hits, keys = notes_of([0.0, 1.0], [100, 100], is_drum=True), notes_of([0.0, 1.0], [80, 80], [67, 79], 2.0)
    drums = coordinates(hits, is_melody=False)
    assert [name for name, value in drums.items() if np.isfinite(value)] == ["arousal", "loudness", "spread"]
    assert drums["loudness"] == pytest.approx((100 - 63.5) / 40)
    piano = coordinates(keys, is_melody=True)
    assert (piano["register"], piano["articulation"]) == (0.5, 0.5)
    assert np.isnan(list(coordinates(notes_of([], []), is_melody=True).values())).all()


def test_windows_are_measured_independently() -> None:
    rng = np.random.default_rng(2)
    number = np.array([3, 0, 1, 6, 2])
    window = np.repeat(np.arange(5), number)
    pieces = []
    for n in number:
        velocity, pitch = rng.integers(40, 90, (2, n)).tolist()
        pieces.append(notes_of(np.sort(rng.uniform(0, 1, n)).tolist(), velocity, pitch, rng.uniform(0.1, 0.5)))
    joined = Notes(**{name: np.concatenate([getattr(notes, name) for notes in pieces]) for name in vars(pieces[0])})
    is_melody = rng.random(len(joined)) < 0.7
    values = coordinates_of(joined, is_melody, window, number / 2.0, np.full(5, 100.0))
    for i, notes in enumerate(pieces):
        zeros = np.zeros(len(notes), dtype=np.intp)
        expected = coordinates_of(notes, is_melody[window == i], zeros, number[[i]] / 2.0, np.array([100.0]))
        np.testing.assert_array_equal(values[i], expected[0])


def test_arousal_rises_with_density_and_tempo() -> None:
    few, many = notes_of([0.0, 1.0], [80, 80]), notes_of([0.0, 0.5, 1.0, 1.5], [80] * 4)
    played = ((few, 100.0), (many, 100.0), (many, 160.0))
    arousal = [coordinates(n, True, len(n) / 2.0, bpm)["arousal"] for n, bpm in played]
    assert arousal == sorted(arousal)
    assert len(set(arousal)) == 3
