import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly.runtime.errors import KellyError
from kelly.sources.music import tonality

C_MAJOR_SCALE = [60, 62, 64, 65, 67, 69, 71, 72]
A_MINOR_TUNE = [69, 71, 72, 74, 76, 77, 76, 68, 69, 72, 76, 69]


def key_of(pitches: list[int]) -> tonality.Key:
    return tonality.find_key(tonality.pitch_class_histogram(pitches, np.ones(len(pitches))))


def test_a_c_major_scale_is_in_c_major() -> None:
    key = key_of(C_MAJOR_SCALE)
    assert (key.tonic, key.mode) == (0, "major")
    assert key.majorness > 0
    assert key.keyclarity > 0.8


def test_a_minor_tune_is_in_a_minor() -> None:
    key = key_of(A_MINOR_TUNE)
    assert (key.tonic, key.mode) == (9, "minor")
    assert key.majorness < 0


@given(st.integers(0, 40))
def test_transposition_moves_the_tonic_and_nothing_else(shift: int) -> None:
    before, after = key_of(A_MINOR_TUNE), key_of([pitch + shift for pitch in A_MINOR_TUNE])
    assert after.tonic == (before.tonic + shift) % 12
    assert after.mode == before.mode
    np.testing.assert_allclose(after[2:], before[2:])


def test_a_profile_is_its_own_best_key() -> None:
    for index, profile in enumerate(tonality.KEY_PROFILES):
        key = tonality.find_key(profile)
        assert (key.tonic, key.mode) == (index % 12, "major" if index < 12 else "minor")
        assert key.keyclarity == pytest.approx(1.0)


def test_a_note_longer_than_two_seconds_weighs_two_seconds() -> None:
    np.testing.assert_allclose(tonality.pitch_class_histogram([60, 73], [9.0, 1.0])[:2], [2.0, 1.0])


@pytest.mark.parametrize("histogram", [np.zeros(12), np.ones(12), np.ones(11)])
def test_a_histogram_without_a_key_is_refused(histogram: np.ndarray) -> None:
    with pytest.raises(KellyError, match="has no key: expected 12 numbers, not all alike"):
        tonality.find_key(histogram)


def test_only_notes_that_sound_together_are_pairs() -> None:
    # C and C# together (dissonant), C and G together, then G alone follows where C# has ended.
    notes = [0, 0, 1, 2], [2, 1, 2, 3], [60, 61, 67, 68]
    dissonant, process_group = tonality.dissonant_pairs(*notes, windows=[0, 0, 0, 0], num_windows=1)
    assert (dissonant.tolist(), process_group.tolist()) == ([1], [2])
    dissonant, process_group = tonality.dissonant_pairs(*notes, windows=[0, 2, 0, 2], num_windows=3)
    assert (dissonant.tolist(), process_group.tolist()) == ([0, 0, 0], [1, 0, 0])  # of one window each


def test_average_features_give_a_neutral_estimate() -> None:
    onsets_per_s = 2**1.781 - 0.1
    assert tonality.estimated_valence(0.006, 0.798, onsets_per_s, 0.074) == pytest.approx(0.0, abs=1e-12)
    assert tonality.estimated_arousal(2**2.642 - 0.1, tonality.MEAN_BPM, 0.151) == pytest.approx(0.0, abs=1e-12)


def test_valence_rises_with_majorness_and_falls_with_dissonance() -> None:
    assert tonality.estimated_valence(0.2, 0.8, 3.0, 0.1) > tonality.estimated_valence(-0.2, 0.8, 3.0, 0.1)
    assert tonality.estimated_valence(0.2, 0.8, 3.0, 0.0) > tonality.estimated_valence(0.2, 0.8, 3.0, 0.2)


def test_one_deviation_of_a_feature_adds_its_weight() -> None:
    low, high = (tonality.estimated_arousal(2**2.642 - 0.1, bpm, 0.151) for bpm in (112.6, 112.6 * 2**0.439))
    assert high - low == pytest.approx(0.143)


def test_what_is_not_known_counts_as_its_mean() -> None:
    known = tonality.estimated_arousal(5.0, tonality.MEAN_BPM, 0.151)
    assert tonality.estimated_arousal(5.0, tonality.MEAN_BPM, np.nan) == pytest.approx(known)


@given(st.floats(0, 100), st.floats(10, 400), st.floats(0, 1))
def test_estimates_stay_between_minus_one_and_one(rate: float, bpm: float, share: float) -> None:
    assert -1 <= tonality.estimated_arousal(rate, bpm, share) <= 1
    assert -1 <= tonality.estimated_valence(share - 0.5, share, rate, share) <= 1
