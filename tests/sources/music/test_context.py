"""The context of each bar: nine coordinates of music with an obvious result, without a leak from the bar itself."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.played import SCALE, Note, notes_of, read, write

from kelly.features.context import DECAY
from kelly.features.emotion import COORDINATES
from kelly.sources.layouts.manifest import Entry
from kelly.sources.music import context, tonality
from kelly.sources.music.context import AROUSAL, LOUDNESS, context_coordinates, decayed_context
from kelly.sources.music.piece import Music, read_music
from kelly.sources.readers.midi import Notes

ENTRY = Entry("made", Path("made"))
BAR_S = 2.0


def music_of(notes: Notes, num_bars: int = 3, lowest_melody: int = 0) -> Music:
    """A piece with bars of two seconds at 120 bpm and no groove; notes from pitch `lowest_melody` on are its melody."""
    bars = 4.0 * np.arange(num_bars + 1.0)
    bars_s = BAR_S * np.arange(num_bars + 1.0)
    score = np.stack([notes.onset_quarters, notes.onset_quarters + notes.duration_quarters, notes.pitch], axis=1)
    bpm, groove = np.full(num_bars, 120.0), np.full((num_bars, 32), np.nan)
    key = tonality.Key(0, "major", 0.0, 0.0)
    return Music(notes, notes.pitch >= lowest_melody, score, bars, bars_s, bars_s, bpm, groove, key)


def context_of(notes: Notes, num_bars: int = 3, entry: Entry = ENTRY) -> dict[str, NDArray[np.float64]]:
    """The coordinates by name; all notes are melody."""
    return dict(zip(COORDINATES, context_coordinates(entry, music_of(notes, num_bars)).T, strict=True))


def eighths(num_bars: int = 3, velocity: int = 80, length: float = 0.5) -> list[Note]:
    return [Note(i / 2, length, SCALE[i % 8], velocity) for i in range(8 * num_bars)]


def test_each_coordinate_is_measured_in_the_earlier_bars_and_zero_before_the_first() -> None:
    known = context_of(notes_of(eighths(length=0.25)))
    register = (np.mean(SCALE) - 67) / 12
    assert known["register"].tolist() == pytest.approx([0, register, register])
    assert known["articulation"].tolist() == pytest.approx([0, -0.5, -0.5])  # half of the gap: log2(1/2) / 2
    assert known["loudness"].tolist() == pytest.approx([0, 16.5 / 40, 16.5 / 40])
    assert known["spread"].tolist() == pytest.approx([0, -1, -1])  # no two velocities differ
    arousal = tonality.estimated_arousal(4.0, 120.0, short_share=1.0)  # eight notes of 0.125 s in two seconds
    assert known["arousal"].tolist() == pytest.approx([0, arousal, arousal])


def test_small_blocks_of_notes_give_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    notes = notes_of([Note(0, 12.0, 48, 60), *eighths(length=0.75)])
    expected = context_of(notes)
    monkeypatch.setattr(context, "BLOCK_NOTES", 5)
    for name, values in context_of(notes).items():
        np.testing.assert_array_equal(values, expected[name])


def test_an_unknown_velocity_leaves_loudness_neutral() -> None:
    known = context_of(notes_of(eighths(velocity=0)))
    assert not known["loudness"].any()
    assert not known["spread"].any()
    assert known["register"][1] != 0


def test_short_notes_can_be_ignored() -> None:
    pieces = [music_of(notes_of(eighths(length=length))) for length in (0.5, 0.25)]
    counted = [context_coordinates(ENTRY, music)[:, AROUSAL] for music in pieces]
    not_counted = [context_coordinates(ENTRY, music, short_notes=False)[:, AROUSAL] for music in pieces]
    assert (counted[0][1:] != counted[1][1:]).all()
    np.testing.assert_array_equal(not_counted[0], not_counted[1])


def test_valence_is_estimated_from_all_earlier_bars() -> None:
    known = context_of(notes_of(eighths()))
    key = tonality.find_key(tonality.pitch_class_histogram(SCALE, np.full(8, 0.25)))
    # One voice, a note every quarter of a second.
    valence = tonality.estimated_valence(key.majorness, key.keyclarity, 4.0, np.nan)
    assert known["valence"].tolist() == pytest.approx([0, valence, valence])


def test_a_rated_valence_replaces_the_estimate_in_all_bars() -> None:
    known = context_of(notes_of(eighths()), entry=replace(ENTRY, valence=-0.4))
    assert known["valence"].tolist() == [-0.4] * 3
    assert not any(values[0] for name, values in known.items() if name != "valence")


def test_the_estimate_of_arousal_starts_at_the_rating_and_moves_around_it() -> None:
    bars = [1, 8, 2, 8]  # notes per bar
    notes = [Note(4 * bar + 4 * i / n, 0.5, SCALE[i]) for bar, n in enumerate(bars) for i in range(n)]
    known = context_of(notes_of(notes), 4, replace(ENTRY, arousal=0.3))["arousal"]
    plain = context_of(notes_of(notes), 4)["arousal"]
    first, second, third = (tonality.estimated_arousal(n / BAR_S, 120.0, 0.0) for n in bars[:3])
    assert plain.tolist() == pytest.approx(
        [0, first, (0.8 * first + second) / 1.8, (0.64 * first + 0.8 * second + third) / 2.44]
    )
    means = np.array([0, first, (first + second) / 2, (first + second + third) / 3])
    assert known.tolist() == pytest.approx((0.3 + plain - means).tolist())
    assert known[:2].tolist() == pytest.approx([0.3, 0.3])
    assert known[2] > 0.3  # the second bar has more notes than the mean, and more weight


def test_swing_is_the_delay_of_the_offbeats_relative_to_the_beats(tmp_path: Path) -> None:
    late = 1 / 12  # quarters: a third of a sixteenth, two thirds of half a one
    swung = [note._replace(onset=note.onset + (late if i % 2 else 0.0), length=0.2) for i, note in enumerate(eighths())]
    entry, midi = read(write(tmp_path / "a.mid", {"Piano": swung}))
    music = read_music(entry, midi)
    known = dict(zip(COORDINATES, context_coordinates(entry, music).T, strict=True))
    assert known["swing"].tolist() == pytest.approx([0, 2 / 3, 2 / 3])
    assert known["push"].tolist() == pytest.approx([0, 2 / 3, 2 / 3])  # twice the mean, as half of all hits are late
    assert known["beat"].tolist() == pytest.approx([0, 0, 0])


def test_push_swing_and_beat_come_from_the_groove_of_earlier_bars() -> None:
    groove = np.full((2, 32), np.nan)
    groove[0, [0, 4]], groove[0, 2] = 0.1, 0.4
    groove[0, [16, 20]], groove[0, 18] = 0.25, -0.25
    first, second = decayed_context(np.full((2, 9), np.nan), groove)
    assert not first.any()
    expected = dict.fromkeys(COORDINATES, 0.0) | {"push": 0.4, "swing": 0.3, "beat": 0.5}
    np.testing.assert_allclose(second, list(expected.values()), atol=1e-12)


def test_the_context_decays_with_each_bar_and_a_coordinate_can_decay_faster() -> None:
    notes = [note._replace(velocity=80 if note.onset < 4 else 40) for note in eighths()]
    decay = np.full(9, DECAY)
    decay[LOUDNESS] = 0.5
    slow, fast = (context_coordinates(ENTRY, music_of(notes_of(notes)), decay=d) for d in (DECAY, decay))
    assert slow[2, LOUDNESS] == pytest.approx((0.8 * 16.5 - 23.5) / 1.8 / 40)
    assert fast[2, LOUDNESS] == pytest.approx((0.5 * 16.5 - 23.5) / 1.5 / 40)
    others = [i for i in range(9) if i != LOUDNESS]
    np.testing.assert_array_equal(slow[:, others], fast[:, others])


def test_a_silent_bar_does_not_change_the_mean() -> None:
    notes = [note for note in eighths(4) if not 4 <= note.onset < 8]
    known = context_of(notes_of(notes), 4)
    assert known["loudness"].tolist() == pytest.approx([0, 16.5 / 40, 16.5 / 40, 16.5 / 40])
    assert known["register"][1] == known["register"][2]


def test_a_held_note_counts_for_register_in_every_bar_in_which_it_sounds() -> None:
    notes = notes_of([*eighths(1, length=0.4), Note(4, 8, 79)])
    register = context_of(notes, 4)["register"]
    low = (np.mean(SCALE) - 67) / 12
    assert register.tolist() == pytest.approx([0, low, (0.8 * low + 1) / 1.8, (0.64 * low + 1.8) / 2.44])


@pytest.mark.parametrize("over", [0.02, 0.1])
def test_a_legato_note_that_overlaps_the_bar_line_counts_in_one_bar(over: float) -> None:
    exact, overlapping = (
        context_of(notes_of([Note(4 * bar, 4 + length, pitch) for bar in range(4) for pitch in (60, 64, 67)]), 4)
        for length in (0.0, over)
    )
    for name, values in exact.items():
        np.testing.assert_allclose(overlapping[name], values, err_msg=name)


def test_a_held_note_counts_for_arousal_where_it_begins() -> None:
    repeated = [Note(i, 1.0, pitch) for i in range(0, 16, 4) for pitch in (60, 64, 67)]
    held = [Note(0, 16.0, pitch) for pitch in (60, 64, 67)]
    often, once = (context_of(notes_of(notes), 4)["arousal"] for notes in (repeated, held))
    assert often[1] == pytest.approx(once[1])  # the first bar is the same
    assert often[3] > once[3] + 0.1


played = st.lists(
    st.builds(
        Note,
        onset=st.integers(0, 16 * 12 - 1).map(lambda at: at / 12),
        length=st.integers(1, 60).map(lambda length: length / 12),
        pitch=st.integers(40, 90),
        velocity=st.integers(1, 127),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=75, deadline=None)
@given(played, played, st.integers(1, 3))
def test_the_context_of_a_bar_does_not_depend_on_the_music_after_its_bar_line(
    first: list[Note], second: list[Note], bar: int
) -> None:
    line = 4.0 * bar
    before = [note for note in first if note.onset < line]
    # Notes that sound at the line may be of any length.
    longer = [note if note.onset + note.length < line else note._replace(length=17 - note.onset) for note in before]
    contexts: list[NDArray[np.float64]] = []
    for begin, others in ((before, first), (longer, second)):
        notes = notes_of([*begin, *(note for note in others if note.onset >= line)])
        groove = np.random.default_rng(0).uniform(-1, 1, (4, 32))
        groove[bar:] = len(contexts)
        music = replace(music_of(notes, 4, lowest_melody=60), groove=groove)
        contexts.append(context_coordinates(ENTRY, music)[: bar + 1])
    np.testing.assert_array_equal(contexts[0], contexts[1])
