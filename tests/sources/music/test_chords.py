import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly.features.vocabulary import CHORDS, NUM_CHORDS
from kelly.runtime.errors import KellyError
from kelly.sources.music.chords import chord_index, derive_chords, harmony_contexts

Beat = list[int]


def derived(*beats: Beat, tonic: int = 0) -> list[str]:
    """Names of the chords derived from block chords, one per beat."""
    notes = [(float(beat), beat + 1.0, pitch) for beat, pitches in enumerate(beats) for pitch in pitches]
    return [CHORDS[chord] for chord in derive_chords(notes, np.arange(len(beats) + 1.0), tonic)[1]]


def test_the_vocabulary_is_twelve_roots_of_five_kinds_and_four_more() -> None:
    assert len(CHORDS) == len(set(CHORDS)) == NUM_CHORDS == 64
    assert (CHORDS[0], CHORDS[7], CHORDS[60:]) == ("C:maj", "C#:7", ("dim", "aug", "sus", "N"))


@pytest.mark.parametrize(
    ("label", "tonic", "expected"),
    [
        ("C", 0, "C:maj"), ("B:maj7", 11, "C:maj7"), ("A#:min/b3", 10, "C:min"), ("Eb:9", 0, "D#:7"),
        ("Cb:maj", 0, "B:maj"), ("F:maj6", 0, "F:maj"), ("F:5", 0, "F:maj"), ("D:min6", 2, "C:min"),
        ("D:minmaj7", 2, "C:min"), ("G:13", 7, "C:7"), ("A:min9", 0, "A:min7"), ("A:maj9", 0, "A:maj7"),
        ("B:hdim7", 3, "dim"), ("G:aug", 3, "aug"), ("G:sus4", 0, "sus"), ("N", 5, "N"),
    ],
)  # fmt: skip
def test_labels_map_to_the_vocabulary(label: str, tonic: int, expected: str) -> None:
    assert CHORDS[chord_index(label, tonic)] == expected


@pytest.mark.parametrize("label", ["H:maj", "C:strange", "", "c"])
def test_an_unknown_label_is_rejected(label: str) -> None:
    with pytest.raises(KellyError, match=f"unknown chord '{label}'"):
        chord_index(label)


def test_two_five_one_with_sevenths_in_every_key() -> None:
    two, five, one = [50, 65, 69, 72], [43, 65, 71, 74], [48, 64, 67, 71]
    for tonic in range(12):
        beats = [[pitch + tonic for pitch in chord] for chord in (two, five, one)]
        assert derived(*beats, tonic=tonic) == ["D:min7", "G:7", "C:maj7"]


@pytest.mark.parametrize(
    ("beats", "expected"),
    [
        ([[52, 60, 67, 72], [47, 62, 65, 67]], ["C:maj", "G:7"]),  # inversions keep their root
        ([[47, 62, 65], [48, 64, 68], [43, 60, 62, 67]], ["dim", "aug", "sus"]),
        ([[50, 65, 68, 72], [49, 64, 67, 70]], ["dim"]),  # half-diminished, then fully
        ([[57, 60, 64, 67]], ["A:min7"]),
        ([[48, 57, 64, 67]], ["A:min7"]),  # a sixth on C maps to the seventh with the same notes
    ],
)
def test_chords_are_recognized(beats: list[Beat], expected: list[str]) -> None:
    assert derived(*beats) == expected


def test_repeats_collapse_and_silence_is_no_chord() -> None:
    moments, chords = derive_chords([(0, 2, 60), (0, 2, 64), (0, 2, 67)], [0, 1, 2, 3], 0)
    assert moments.tolist() == [0, 2]
    assert [CHORDS[chord] for chord in chords] == ["C:maj", "N"]


def test_a_passing_note_in_the_second_half_of_a_beat_makes_no_new_chord() -> None:
    notes = [(0, 1, 48), (0, 1, 55), (0, 1, 64), (0, 0.5, 72), (0.5, 1, 71)]
    assert [CHORDS[chord] for chord in derive_chords(notes, [0, 1], 0)[1]] == ["C:maj"]


@given(st.integers(-24, 24), st.lists(st.lists(st.integers(36, 84), max_size=6), min_size=1, max_size=4))
def test_chords_are_relative_to_the_tonic(shift: int, beats: list[Beat]) -> None:
    moved = [[pitch + shift for pitch in beat] for beat in beats]
    assert derived(*beats, tonic=3) == derived(*moved, tonic=(3 + shift) % 12)


def test_the_context_decays_by_half_and_is_clipped() -> None:
    context = harmony_contexts(np.array([7, 3, 3, 5, 0]))[-1]
    assert (context[5], context[3], context[7]) == (1.0, 0.75, 0.125)
    assert harmony_contexts(np.array([5, 5, 5, 0]))[-1, 5] == 1.0


@given(st.lists(st.integers(0, NUM_CHORDS - 1), max_size=100))
def test_the_context_of_each_chord_is_the_decayed_sum_of_the_chords_before(chords: list[int]) -> None:
    contexts = harmony_contexts(np.array(chords, dtype=np.int64))
    assert contexts.shape == (len(chords), NUM_CHORDS)
    assert contexts.dtype == np.float32
    for i, context in enumerate(contexts):
        expected = np.zeros(NUM_CHORDS)
        for age, chord in enumerate(reversed(chords[:i])):
            expected[chord] += 0.5**age
        np.testing.assert_allclose(context, np.minimum(expected, 1.0), rtol=1e-6)
