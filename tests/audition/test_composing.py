"""A phrase from five networks: the same for the same seed, within a MIDI file's ranges, and it is what they say."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.made_networks import exports, written

from kelly.audition.arranging import chord_name, chord_root, chord_tones
from kelly.audition.composing import compose, groove, usual_bpm
from kelly.audition.networks import checked_model
from kelly.audition.phrase import BAR, PARTS, Note, Phrase, apart, figures, rounded
from kelly.audition.rng import pick, uniform
from kelly.features import emotion
from kelly.features.context import heard_before
from kelly.rtneural.reader import Dense, Model
from kelly.runtime.errors import KellyError
from kelly.sources.music.chords import CHORDS, NO_CHORD, chord_index
from kelly.tasks import TASKS

MODELS = exports().models
emotions = st.floats(-1, 1)


@settings(max_examples=30, deadline=None)
@given(emotions, emotions, st.integers(0, 2**32 - 1), st.integers(1, 12), st.none() | st.integers(30, 300))
def test_every_note_can_be_written_and_none_is_struck_while_it_sounds(
    valence: float, arousal: float, seed: int, bars: int, bpm: int | None
) -> None:
    phrase = compose(MODELS, valence, arousal, seed=seed, bars=bars, bpm=bpm)
    assert phrase == compose(MODELS, valence, arousal, seed=seed, bars=bars, bpm=bpm)
    assert len(phrase.chords) == bars
    until: dict[tuple[str, int], int] = {}
    for note in phrase.notes:
        assert 0 <= note.onset < bars * BAR
        assert note.duration > 0
        assert 0 <= note.pitch <= 127
        assert 1 <= note.velocity <= 127
        assert until.get((note.part, note.pitch), 0) <= note.onset
        until[note.part, note.pitch] = note.onset + note.duration
    assert [note.onset for note in phrase.notes] == sorted(note.onset for note in phrase.notes)
    assert {bar for note in phrase.notes if note.part == "melody" for bar in [(note.onset + 60) // BAR]} >= set(
        range(bars)
    )


def test_another_seed_is_another_phrase_and_fewer_bars_are_its_beginning() -> None:
    eight, four = (compose(MODELS, 0.3, 0.1, seed=1, bars=bars) for bars in (8, 4))
    assert compose(MODELS, 0.3, 0.1, seed=2).notes != eight.notes
    assert four.chords == eight.chords[:4]
    beginning = [note for note in eight.notes if note.onset < 3 * BAR]
    assert [note for note in four.notes if note.onset < 3 * BAR] == beginning


def test_a_small_step_of_the_emotion_changes_little_of_the_music() -> None:
    def melody(arousal: float) -> list[tuple[int, int]]:
        notes = compose(MODELS, 0.3, arousal, seed=1, bars=32, bpm=100).notes
        return [(note.onset // 120, note.pitch) for note in notes if note.part == "melody"]

    here, near = set(melody(0.1)), set(melody(0.1001))
    assert len(here & near) > 0.9 * len(here)


def test_what_is_out_of_range_is_told_at_once() -> None:
    with pytest.raises(KellyError) as told:
        compose(MODELS, 1.5, math.nan, seed=-1, bars=0, bpm=1000)
    assert str(told.value) == (
        "valence 1.5: expected -1 to 1; arousal nan: expected -1 to 1; seed -1: expected 0 to 4294967295; bars 0: "
        "expected 1 to 64; tempo 1000: expected 30 to 300"
    )
    with pytest.raises(KellyError, match="tempo 0: expected 30 to 300"):
        compose(MODELS, 0, 0, seed=0, bpm=0)


def always(model: Model, outputs: np.ndarray) -> Model:
    """A network of the same size that says the same of everything."""
    weight = np.zeros((model.num_inputs, model.num_outputs))
    return replace(model, layers=(Dense(weight, outputs, ""),))


def test_the_notes_are_what_the_networks_say() -> None:
    pitches, chords, dynamics, timing = np.zeros(128), np.zeros(64), np.zeros(16), np.zeros(32)
    pitches[[60, 64, 67]] = 1.0
    chords[[chord_index("A:min7"), chord_index("F:maj")]] = 0.6, 0.4
    dynamics[0], dynamics[10], dynamics[12] = 0.5, 0.25, 1.0  # velocity 63.5, half of each gap, chords 50 ms wide
    timing[4], timing[16 + 4] = 0.5, 1.0  # beat 2 comes late by a quarter of a sixteenth, and is loud
    said = {
        "melodytransformer": pitches, "harmonypredictor": chords, "dynamicsengine": dynamics, "groovepredictor": timing,
    }  # fmt: skip
    models = {name: always(MODELS[name], outputs) for name, outputs in said.items()}
    phrase = compose(models, 0.0, 0.0, seed=3, bars=4, bpm=120)
    melody = [note for note in phrase.notes if note.part == "melody"]
    assert {note.pitch for note in melody} <= {60, 64, 67}
    assert len(melody) == 4 * 3
    assert {chord_name(chord) for chord in phrase.chords} == {"Am7", "F"}
    assert all(chord != following for chord, following in pairwise(phrase.chords))  # each is a change
    assert {note.pitch % 12 for note in phrase.notes if note.part == "chords"} == {9, 0, 4, 7, 5}
    assert {note.pitch for note in phrase.notes if note.part == "bass"} == {45, 41}
    first = [note.onset for note in phrase.notes if note.part == "chords" and note.onset < 400]
    assert (first[0], first[-1]) == (0, 48)  # 50 ms at 120 beats a minute and 480 ticks a beat
    snare = [note for note in phrase.notes if note.pitch == 38 and note.part == "drums"]
    assert [note.onset % BAR for note in snare] == [4 * 120 + 30, 12 * 120] * 4
    loud, usual = (rounded(63.5 * accent * PARTS["drums"].balance) for accent in (1.2, 0.8))
    assert [note.velocity for note in snare] == [loud, usual] * 4
    bass = [note for note in phrase.notes if note.part == "bass"]
    assert [note.duration for note in bass] == [480, 480] * 4  # struck twice a bar, half of 960


def test_the_beats_prefer_tones_of_the_chord() -> None:
    chords, pitches = np.zeros(64), np.zeros(128)
    chords[[chord_index("C:maj"), chord_index("F:maj")]] = 0.5
    pitches[60:72] = 0.9
    flat = {"melodytransformer": pitches, "harmonypredictor": chords, "dynamicsengine": np.full(16, 0.5),
            "groovepredictor": np.zeros(32)}  # fmt: skip
    models = {name: always(MODELS[name], outputs) for name, outputs in flat.items()}
    phrase = compose(models, 0.0, 0.0, seed=0, bars=64)
    on, off = list[bool](), list[bool]()
    for note in (note for note in phrase.notes if note.part == "melody"):
        side = on if note.onset % 480 == 0 else off
        side.append(note.pitch % 12 in chord_tones(phrase.chords[note.onset // BAR]))
    assert np.mean(on) > np.mean(off) + 0.15


def test_a_groove_that_hears_is_told_the_groove_it_made() -> None:
    task = TASKS["groovepredictor"]
    layout = {"inputs": [{"positions": [0, 16], "decay": 0.8}]}
    model = checked_model(task, written(task, 1, **layout))
    embedding = emotion.embed(emotion.usual_coordinates(0.2, 0.4))
    made = groove(model, embedding, 5)
    for bar, heard in enumerate(heard_before(made)):
        expected = model.run(np.concatenate([heard, embedding[32:]])[None, None])[0, 0]
        np.testing.assert_allclose(made[bar], expected, atol=1e-12)
    plain = groove(MODELS["groovepredictor"], embedding, 2)
    assert np.array_equal(plain[0], plain[1])


def test_chance_is_even_and_independent_of_its_neighbours() -> None:
    draws = np.array([[uniform(seed, place) for place in range(200)] for seed in range(200)])
    assert ((draws > 0) & (draws < 1)).all()
    assert abs(draws.mean() - 0.5) < 0.01
    assert np.histogram(draws, 10, (0, 1))[0].max() < 1.1 * draws.size / 10
    for neighbour in (np.roll(draws, 1, axis=0), np.roll(draws, 1, axis=1)):
        assert abs(np.corrcoef(draws.ravel(), neighbour.ravel())[0, 1]) < 0.02


def test_a_pick_follows_the_weights_and_leaves_out_the_unlikely_rest() -> None:
    weights = [0.05, 0.5, 0.15, 0.3]
    drawn = [pick(weights, (i + 0.5) / 1000) for i in range(1000)]
    assert drawn.count(1) == pytest.approx(1000 * 0.5 / 0.8, abs=1)
    assert drawn.count(3) == pytest.approx(1000 * 0.3 / 0.8, abs=1)
    assert pick([0.0, 0.0], 0.5) == 0


def test_chords_have_their_tones() -> None:
    def tones(label: str) -> set[int]:
        return set(chord_tones(chord_index(label)))

    assert tones("D:min7") == {2, 5, 9, 0}
    assert tones("G:7") == {7, 11, 2, 5}
    assert tones("B:dim") == {11, 2, 5}
    assert tones("G:sus4") == {7, 0, 2}
    assert chord_tones(NO_CHORD) == ()
    for chord in range(len(CHORDS) - 1):
        assert chord_tones(chord)[0] == chord_root(chord)
    assert [chord_name(chord_index(label)) for label in ("C:maj", "F#:min", "N", "G:sus4")] == ["C", "F#m", "–", "Gsus"]


def test_figures_say_what_is_heard() -> None:
    notes = (Note("melody", 0, 480, 60, 80), Note("melody", 960, 480, 63, 100), Note("bass", 0, 960, 36, 60))
    phrase = Phrase(0.0, 0.0, 0, 60, 2, notes, (chord_index("C:min"), chord_index("F:maj")))
    f = figures(phrase)
    assert (f.bpm, f.mean_pitch, f.mean_velocity, f.minor_chords, f.minor_thirds) == (60, 61.5, 80.0, 0.5, 1.0)
    assert f.notes_per_s == 3 / 8
    empty = replace(phrase, chords=(NO_CHORD,), notes=(Note("melody", 0, 480, 60, 80),))
    assert math.isnan(figures(empty).minor_chords)
    assert math.isnan(figures(empty).minor_thirds)


def test_notes_of_one_pitch_end_before_the_next_begins() -> None:
    notes = [Note("bass", 0, 500, 40, 60), Note("bass", 480, 100, 40, 60), Note("melody", 10, 900, 40, 60),
             Note("bass", 480, 50, 40, 90)]  # fmt: skip
    assert [(note.part, note.onset, note.duration) for note in apart(notes)] == [
        ("bass", 0, 480), ("melody", 10, 900), ("bass", 480, 100),
    ]  # fmt: skip


def test_lively_music_is_usually_faster() -> None:
    assert usual_bpm(-1) < usual_bpm(0) < usual_bpm(1)
    assert (usual_bpm(-1), usual_bpm(1)) == (83, 153)
