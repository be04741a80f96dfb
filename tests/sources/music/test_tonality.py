import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.played import SCALE

from kelly.runtime.errors import KellyError
from kelly.sources.music import tonality

A_MINOR_TUNE = [69, 71, 72, 74, 76, 77, 76, 68, 69, 72, 76, 69]


def key_of(pitches: list[int]) -> tonality.Key:
    return tonality.find_key(tonality.pitch_class_histogram(pitches, np.ones(len(pitches))))


def test_the_key_of_a_scale_and_of_a_tune_in_minor() -> None:
    major, minor = key_of(SCALE), key_of(A_MINOR_TUNE)
    assert [major[:2], minor[:2]] == [(0, "major"), (9, "minor")]
    assert major.majorness > 0 > minor.majorness
    assert major.keyclarity > 0.8


@given(st.integers(0, 40))
def test_transposition_only_moves_the_tonic(shift: int) -> None:
    before, after = key_of(A_MINOR_TUNE), key_of([pitch + shift for pitch in A_MINOR_TUNE])
    assert after.tonic == (before.tonic + shift) % 12
    assert after.mode == before.mode
    np.testing.assert_allclose(after[2:], before[2:])


def test_the_best_key_of_a_profile_is_its_own() -> None:
    for index, profile in enumerate(tonality.KEY_PROFILES):
        key = tonality.find_key(profile)
        assert (key.tonic, key.mode) == (index % 12, "major" if index < 12 else "minor")
        assert key.keyclarity == pytest.approx(1.0)


def test_a_note_longer_than_two_seconds_has_the_weight_of_two() -> None:
    np.testing.assert_allclose(tonality.pitch_class_histogram([60, 73], [9.0, 1.0])[:2], [2.0, 1.0])


@pytest.mark.parametrize("histogram", [np.zeros(12), np.ones(12), np.ones(11)])
def test_a_histogram_without_a_key_is_rejected(histogram: np.ndarray) -> None:
    with pytest.raises(KellyError, match="has no key"):
        tonality.find_key(histogram)


def test_only_notes_that_sound_together_are_pairs() -> None:
    # C with C# (dissonant), C with G, then G# alone.
    notes = [0, 0, 1, 2], [2, 1, 2, 3], [60, 61, 67, 68]
    dissonant, pairs = tonality.dissonant_pairs(*notes, windows=[0, 0, 0, 0], num_windows=1)
    assert (dissonant.tolist(), pairs.tolist()) == ([1], [2])
    dissonant, pairs = tonality.dissonant_pairs(*notes, windows=[0, 2, 0, 2], num_windows=3)
    assert (dissonant.tolist(), pairs.tolist()) == ([0, 0, 0], [1, 0, 0])  # windows are independent


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 20), st.integers(30, 90), st.integers(0, 2)).map(
            lambda note: (note[0] / 8, (note[0] + note[1]) / 8, note[2], note[3])
        ),
        max_size=30,
    )
)
def test_dissonant_pairs_are_those_of_comparing_all_notes(notes: list[tuple[float, float, int, int]]) -> None:
    total, dissonant = [0, 0, 0], [0, 0, 0]
    for i, (onset, end, pitch, window) in enumerate(notes):
        for other_onset, other_end, other_pitch, other_window in notes[:i]:
            if window == other_window and min(end, other_end) - max(onset, other_onset) > 1e-6:
                total[window] += 1
                dissonant[window] += abs(pitch - other_pitch) % 12 in (1, 6, 11)
    onsets, ends, pitches, windows = ([note[i] for note in notes] for i in range(4))
    counts = tonality.dissonant_pairs(onsets, ends, pitches, windows, num_windows=3)
    assert [count.tolist() for count in counts] == [dissonant, total]


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


def test_an_unknown_feature_counts_as_its_mean() -> None:
    known = tonality.estimated_arousal(5.0, tonality.MEAN_BPM, 0.151)
    assert tonality.estimated_arousal(5.0, tonality.MEAN_BPM, np.nan) == pytest.approx(known)


@given(st.floats(0, 100), st.floats(10, 400), st.floats(0, 1))
def test_estimates_stay_between_minus_one_and_one(rate: float, bpm: float, share: float) -> None:
    assert -1 <= tonality.estimated_arousal(rate, bpm, share) <= 1
    assert -1 <= tonality.estimated_valence(share - 0.5, share, rate, share) <= 1
