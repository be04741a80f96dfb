"""A phrase from five networks: deterministic, valid as MIDI, and determined by the networks' outputs."""

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.random_networks import export_bytes, random_exports

from kelly.audition.arranging import chord_name, chord_root, chord_tones
from kelly.audition.composing import compose, default_bpm, groove
from kelly.audition.networks import parse_export
from kelly.audition.phrase import BAR_TICKS, PARTS, Note, Phrase, phrase_stats, round_half_up, without_overlaps
from kelly.audition.rng import sample, uniform
from kelly.features import emotion
from kelly.features.context import decayed_mean
from kelly.features.vocabulary import CHORDS, NO_CHORD
from kelly.rtneural.reader import Dense, Model
from kelly.runtime.errors import KellyError
from kelly.sources.music.chords import chord_index
from kelly.tasks import TASKS

MODELS = random_exports().models
emotions = st.floats(-1, 1)


def constant_models(**outputs: np.ndarray) -> Mapping[str, Model]:
    """Networks of the right sizes with constant outputs."""
    models = {}
    for name, values in outputs.items():
        weight = np.zeros((MODELS[name].num_inputs, MODELS[name].num_outputs))
        models[name] = replace(MODELS[name], layers=(Dense(weight, values, ""),))
    return models


@settings(max_examples=15, deadline=None)
@given(emotions, emotions, st.integers(0, 2**32 - 1), st.integers(1, 12), st.none() | st.integers(30, 300))
def test_every_note_is_valid_midi_and_no_pitch_overlaps_itself(
    valence: float, arousal: float, seed: int, bars: int, bpm: int | None
) -> None:
    phrase = compose(MODELS, valence, arousal, seed=seed, bars=bars, bpm=bpm)
    assert phrase == compose(MODELS, valence, arousal, seed=seed, bars=bars, bpm=bpm)
    assert len(phrase.chords) == bars
    end: dict[tuple[str, int], int] = {}
    for note in phrase.notes:
        assert 0 <= note.onset < bars * BAR_TICKS
        assert note.duration > 0
        assert 0 <= note.pitch <= 127
        assert 1 <= note.velocity <= 127
        assert end.get((note.part, note.pitch), 0) <= note.onset
        end[note.part, note.pitch] = note.onset + note.duration
    assert [note.onset for note in phrase.notes] == sorted(note.onset for note in phrase.notes)
    assert {(note.onset + 60) // BAR_TICKS for note in phrase.notes if note.part == "melody"} >= set(range(bars))


def test_another_seed_gives_another_phrase_and_fewer_bars_its_beginning() -> None:
    eight, four = (compose(MODELS, 0.3, 0.1, seed=1, bars=bars) for bars in (8, 4))
    assert compose(MODELS, 0.3, 0.1, seed=2).notes != eight.notes
    assert four.chords == eight.chords[:4]
    beginning = [note for note in eight.notes if note.onset < 3 * BAR_TICKS]
    assert [note for note in four.notes if note.onset < 3 * BAR_TICKS] == beginning


def test_a_small_change_of_the_emotion_changes_few_notes() -> None:
    def melody(arousal: float) -> set[tuple[int, int]]:
        notes = compose(MODELS, 0.3, arousal, seed=1, bars=32, bpm=100).notes
        return {(note.onset // 120, note.pitch) for note in notes if note.part == "melody"}

    before, after = melody(0.1), melody(0.1001)
    assert len(before & after) > 0.9 * len(before)


def test_all_values_out_of_range_are_reported_at_once() -> None:
    with pytest.raises(KellyError) as error:
        compose(MODELS, 1.5, math.nan, seed=-1, bars=0, bpm=1000)
    assert str(error.value) == (
        "valence 1.5: expected -1 to 1; arousal nan: expected -1 to 1; seed -1: expected 0 to 4294967295; bars 0: "
        "expected 1 to 64; tempo 1000: expected 30 to 300"
    )
    with pytest.raises(KellyError, match="tempo 0: expected 30 to 300"):
        compose(MODELS, 0, 0, seed=0, bpm=0)


def test_the_notes_follow_the_outputs_of_the_networks() -> None:
    pitches, chords, dynamics, timing = np.zeros(128), np.zeros(64), np.zeros(16), np.zeros(32)
    pitches[[60, 64, 67]] = 1.0
    chords[[chord_index("A:min7"), chord_index("F:maj")]] = 0.6, 0.4
    dynamics[0], dynamics[10], dynamics[12] = 0.5, 0.25, 1.0  # velocity 63.5, half of each gap, chords over 50 ms
    timing[4], timing[16 + 4] = 0.5, 1.0  # beat 2 is late by a quarter of a sixteenth, and accented
    models = constant_models(
        melodytransformer=pitches, harmonypredictor=chords, dynamicsengine=dynamics, groovepredictor=timing
    )
    phrase = compose(models, 0.0, 0.0, seed=3, bars=4, bpm=120)
    parts = {part: [note for note in phrase.notes if note.part == part] for part in PARTS}
    assert {note.pitch for note in parts["melody"]} <= {60, 64, 67}
    assert len(parts["melody"]) == 4 * 3
    assert {chord_name(chord) for chord in phrase.chords} == {"Am7", "F"}
    assert all(chord != following for chord, following in pairwise(phrase.chords))
    assert {note.pitch % 12 for note in parts["chords"]} == {9, 0, 4, 7, 5}
    first = [note.onset for note in parts["chords"] if note.onset < 400]
    assert (first[0], first[-1]) == (0, 48)  # 50 ms at 120 bpm and 480 ticks per quarter
    snare = [note for note in parts["drums"] if note.pitch == 38]
    assert [note.onset % BAR_TICKS for note in snare] == [4 * 120 + 30, 12 * 120] * 4
    accented, plain = (round_half_up(63.5 * accent * PARTS["drums"].balance) for accent in (1.2, 0.8))
    assert [note.velocity for note in snare] == [accented, plain] * 4
    assert {note.pitch for note in parts["bass"]} == {45, 41}
    assert [note.duration for note in parts["bass"]] == [480, 480] * 4  # two per bar, half of 960


def test_notes_on_the_beats_are_more_often_chord_tones() -> None:
    chords, pitches = np.zeros(64), np.zeros(128)
    chords[[chord_index("C:maj"), chord_index("F:maj")]] = 0.5
    pitches[60:72] = 0.9
    models = constant_models(melodytransformer=pitches, harmonypredictor=chords, dynamicsengine=np.full(16, 0.5),
                             groovepredictor=np.zeros(32))  # fmt: skip
    phrase = compose(models, 0.0, 0.0, seed=0, bars=64)
    on_beat, off_beat = list[bool](), list[bool]()
    for note in (note for note in phrase.notes if note.part == "melody"):
        group = on_beat if note.onset % 480 == 0 else off_beat
        group.append(note.pitch % 12 in chord_tones(phrase.chords[note.onset // BAR_TICKS]))
    assert np.mean(on_beat) > np.mean(off_beat) + 0.15


def test_a_groove_network_with_context_gets_its_previous_outputs() -> None:
    task = TASKS["groovepredictor"]
    model = parse_export(task, export_bytes(task, 1, inputs=[{"positions": [0, 16], "decay": 0.8}]))
    embedding = emotion.embed(emotion.usual_coordinates(0.2, 0.4))
    outputs = groove(model, embedding, 5)
    for output, context in zip(outputs, decayed_mean(outputs), strict=True):
        expected = model.run(np.concatenate([context, embedding[32:]])[None, None])[0, 0]
        np.testing.assert_allclose(output, expected, atol=1e-12)
    without_context = groove(MODELS["groovepredictor"], embedding, 2)
    assert np.array_equal(without_context[0], without_context[1])


def test_random_numbers_are_uniform_and_uncorrelated_with_their_neighbours() -> None:
    draws = np.array([[uniform(seed, position) for position in range(200)] for seed in range(200)])
    assert ((draws > 0) & (draws < 1)).all()
    assert abs(draws.mean() - 0.5) < 0.01
    assert np.histogram(draws, 10, (0, 1))[0].max() < 1.1 * draws.size / 10
    for neighbour in (np.roll(draws, 1, axis=0), np.roll(draws, 1, axis=1)):
        assert abs(np.corrcoef(draws.ravel(), neighbour.ravel())[0, 1]) < 0.02


def test_a_sample_follows_the_weights_within_the_nucleus() -> None:
    weights = [0.05, 0.5, 0.15, 0.3]
    samples = [sample(weights, (i + 0.5) / 1000) for i in range(1000)]
    assert samples.count(1) == pytest.approx(1000 * 0.5 / 0.8, abs=1)
    assert samples.count(3) == pytest.approx(1000 * 0.3 / 0.8, abs=1)
    assert sample([0.0, 0.0], 0.5) == 0


@pytest.mark.parametrize(
    ("label", "tones", "name"),
    [
        ("C:maj", {0, 4, 7}, "C"),
        ("F#:min", {6, 9, 1}, "F#m"),
        ("D:min7", {2, 5, 9, 0}, "Dm7"),
        ("G:7", {7, 11, 2, 5}, "G7"),
        ("B:dim", {11, 2, 5}, "Bdim"),
        ("G:sus4", {7, 0, 2}, "Gsus"),
        ("N", set(), "–"),
    ],
)
def test_chords_have_their_tones_and_names(label: str, tones: set[int], name: str) -> None:
    assert set(chord_tones(chord_index(label))) == tones
    assert chord_name(chord_index(label)) == name


def test_the_first_tone_of_a_chord_is_its_root() -> None:
    assert all(chord_tones(chord)[0] == chord_root(chord) for chord in range(len(CHORDS)) if chord != NO_CHORD)


def test_the_statistics_of_a_phrase() -> None:
    notes = (Note("melody", 0, 480, 60, 80), Note("melody", 960, 480, 63, 100), Note("bass", 0, 960, 36, 60))
    phrase = Phrase(0.0, 0.0, 0, 60, 2, notes, (chord_index("C:min"), chord_index("F:maj")))
    assert phrase_stats(phrase) == (60, 61.5, 3 / 8, 80.0, 0.5, 1.0)
    without = phrase_stats(replace(phrase, chords=(NO_CHORD,), notes=(Note("melody", 0, 480, 60, 80),)))
    assert math.isnan(without.minor_chords)
    assert math.isnan(without.minor_thirds)


def test_a_note_ends_before_its_part_plays_the_pitch_again() -> None:
    notes = [Note("bass", 0, 500, 40, 60), Note("bass", 480, 100, 40, 60), Note("melody", 10, 900, 40, 60),
             Note("bass", 480, 50, 40, 90)]  # fmt: skip
    assert [(note.part, note.onset, note.duration) for note in without_overlaps(notes)] == [
        ("bass", 0, 480), ("melody", 10, 900), ("bass", 480, 100),
    ]  # fmt: skip


def test_the_default_tempo_rises_with_arousal() -> None:
    assert [default_bpm(arousal) for arousal in (-1, 0, 1)] == [83, 113, 153]
