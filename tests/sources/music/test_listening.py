"""What a listener knows before each bar: nine coordinates of music whose answer is obvious, and no look ahead."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.played import Note, notes_of, read, write

from kelly.features.context import DECAY, heard_before
from kelly.features.emotion import COORDINATES
from kelly.sources.layouts.listing import Entry
from kelly.sources.music import listening, tonality
from kelly.sources.music.listening import Windows, heard_in
from kelly.sources.music.piece import read_music
from kelly.sources.readers.midi import Notes

ENTRY = Entry("made", Path("made"))
SCALE = [60, 62, 64, 65, 67, 69, 71, 72]
BAR_S = 2.0
VALENCE, AROUSAL, LOUDNESS = (COORDINATES.index(name) for name in ("valence", "arousal", "loudness"))


def windows(num_bars: int, groove: NDArray[np.float64] | None = None) -> Windows:
    """Bars of two seconds at 120 bpm."""
    groove = np.full((num_bars, 32), np.nan) if groove is None else groove
    return Windows(BAR_S * np.arange(num_bars + 1.0), np.full(num_bars, 120.0), groove)


def heard(notes: Notes, num_bars: int, entry: Entry = ENTRY) -> dict[str, NDArray[np.float64]]:
    """The coordinates by name; all notes are melody."""
    found = heard_in(entry, notes, np.ones(len(notes), dtype=np.bool_), windows(num_bars))
    return dict(zip(COORDINATES, found.T, strict=True))


def eighths(num_bars: int = 3, velocity: int = 80, length: float = 0.5) -> list[Note]:
    return [Note(i / 2, length, SCALE[i % 8], velocity) for i in range(8 * num_bars)]


def test_nothing_is_known_before_the_first_bar() -> None:
    assert not any(values[0] for values in heard(notes_of(eighths()), 3).values())


def test_each_coordinate_says_what_was_heard() -> None:
    known = heard(notes_of(eighths(length=0.25)), 3)
    register = (np.mean(SCALE) - 67) / 12
    assert known["register"].tolist() == pytest.approx([0, register, register])
    assert known["articulation"].tolist() == pytest.approx([0, -0.5, -0.5])  # half of the gap: log2(1/2) / 2
    assert known["loudness"].tolist() == pytest.approx([0, 16.5 / 40, 16.5 / 40])
    assert known["spread"].tolist() == pytest.approx([0, -1, -1])  # no two velocities differ
    arousal = tonality.estimated_arousal(4.0, 120.0, short_share=1.0)  # eight notes of 0.125 s in two seconds
    assert known["arousal"].tolist() == pytest.approx([0, arousal, arousal])


def test_notes_that_are_looked_at_a_few_at_a_time_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    held = [Note(0, 12.0, 48, 60), *eighths(length=0.75)]
    whole = heard(notes_of(held), 3)
    monkeypatch.setattr(listening, "BLOCK_NOTES", 5)
    parts = heard(notes_of(held), 3)
    for name, values in whole.items():
        np.testing.assert_array_equal(parts[name], values)


def test_what_was_heard_fades_by_the_bar() -> None:
    notes = [note._replace(velocity=80 if note.onset < 4 else 40) for note in eighths()]
    assert heard(notes_of(notes), 3)["loudness"][2] == pytest.approx((0.8 * 16.5 - 23.5) / 1.8 / 40)


def test_a_velocity_that_is_not_known_leaves_loudness_neutral() -> None:
    known = heard(notes_of(eighths(velocity=0)), 3)
    assert not known["loudness"].any()
    assert not known["spread"].any()
    assert known["register"][1] != 0


def test_short_notes_do_not_count_where_they_are_what_is_predicted() -> None:
    notes = [notes_of(eighths(length=length)) for length in (0.5, 0.25)]
    everything = np.ones(24, dtype=np.bool_)
    counted = [heard_in(ENTRY, n, everything, windows(3))[:, AROUSAL] for n in notes]
    not_counted = [heard_in(ENTRY, n, everything, windows(3), short_notes=False)[:, AROUSAL] for n in notes]
    assert (counted[0][1:] != counted[1][1:]).all()
    np.testing.assert_array_equal(not_counted[0], not_counted[1])


def test_valence_is_estimated_from_all_that_was_heard() -> None:
    known = heard(notes_of(eighths()), 3)
    key = tonality.find_key(tonality.pitch_class_histogram(SCALE, np.full(8, 0.25)))
    # All sounds in one voice, a new one every quarter of a second.
    valence = tonality.estimated_valence(key.majorness, key.keyclarity, 4.0, np.nan)
    assert known["valence"].tolist() == pytest.approx([0, valence, valence])


def test_a_rated_valence_is_known_from_the_start_and_stays() -> None:
    known = heard(notes_of(eighths()), 3, replace(ENTRY, valence=-0.4))
    assert known["valence"].tolist() == [-0.4] * 3
    assert not any(values[0] for name, values in known.items() if name != "valence")


def test_a_rated_arousal_is_where_the_estimate_starts_from_and_moves_about() -> None:
    bars = [1, 8, 2, 8]  # notes a bar
    notes = [Note(4 * bar + 4 * i / n, 0.5, SCALE[i]) for bar, n in enumerate(bars) for i in range(n)]
    known = heard(notes_of(notes), 4, replace(ENTRY, arousal=0.3))["arousal"]
    plain = heard(notes_of(notes), 4)["arousal"]
    first, second, third = (tonality.estimated_arousal(n / BAR_S, 120.0, 0.0) for n in bars[:3])
    assert plain.tolist() == pytest.approx(
        [0, first, (0.8 * first + second) / 1.8, (0.64 * first + 0.8 * second + third) / 2.44]
    )
    means = np.array([0, first, (first + second) / 2, (first + second + third) / 3])
    assert known.tolist() == pytest.approx((0.3 + plain - means).tolist())
    assert known[:2].tolist() == pytest.approx([0.3, 0.3])
    assert known[2] > 0.3  # the second bar is busier than what was heard on the whole, and weighs more


def test_swing_is_how_much_later_the_offbeats_were_than_the_beats(tmp_path: Path) -> None:
    late = 1 / 12  # quarters: a third of a sixteenth, two thirds of half a one
    swung = [note._replace(onset=note.onset + (late if i % 2 else 0.0), length=0.2) for i, note in enumerate(eighths())]
    entry, midi = read(write(tmp_path / "a.mid", {"Piano": swung}))
    music = read_music(entry, midi)
    found = heard_in(entry, music.notes, music.is_melody, Windows(music.bars_s, music.bpm, music.groove))
    known = dict(zip(COORDINATES, found.T, strict=True))
    assert known["swing"].tolist() == pytest.approx([0, 2 / 3, 2 / 3])
    assert known["push"].tolist() == pytest.approx([0, 2 / 3, 2 / 3])  # half of all hits are late by so much, twice
    assert known["beat"].tolist() == pytest.approx([0, 0, 0])


def test_loudness_fades_faster_where_it_is_told_to() -> None:
    notes = [note._replace(velocity=80 if note.onset < 4 else 40) for note in eighths()]
    decay = np.full(9, DECAY)
    decay[LOUDNESS] = 0.5
    ones = np.ones(24, dtype=np.bool_)
    slow, fast = (heard_in(ENTRY, notes_of(notes), ones, windows(3), decay=d) for d in (DECAY, decay))
    assert fast[2, LOUDNESS] == pytest.approx((0.5 * 16.5 - 23.5) / 1.5 / 40)
    others = [i for i in range(9) if i != LOUDNESS]
    np.testing.assert_array_equal(slow[:, others], fast[:, others])


def test_a_silent_bar_tells_nothing_and_what_was_heard_fades_on() -> None:
    notes = [note for note in eighths(4) if not 4 <= note.onset < 8]
    known = heard(notes_of(notes), 4)
    assert known["loudness"].tolist() == pytest.approx([0, 16.5 / 40, 16.5 / 40, 16.5 / 40])
    assert known["register"][1] == known["register"][2]


def test_a_note_that_is_held_is_heard_in_every_bar_in_which_it_sounds() -> None:
    notes = notes_of([*eighths(1, length=0.4), Note(4, 8, 79)])
    register = heard(notes, 4)["register"]
    low = (np.mean(SCALE) - 67) / 12
    assert register.tolist() == pytest.approx([0, low, (0.8 * low + 1) / 1.8, (0.64 * low + 1.8) / 2.44])


@pytest.mark.parametrize("over", [0.02, 0.1])
def test_a_note_that_reaches_a_little_over_the_line_is_heard_once(over: float) -> None:
    """Legato is not twice as many notes, half of them short; over: quarters."""
    cut, over_the_line = (
        heard(notes_of([Note(4 * bar, 4 + length, pitch) for bar in range(4) for pitch in (60, 64, 67)]), 4)
        for length in (0.0, over)
    )
    for name, values in cut.items():
        np.testing.assert_allclose(over_the_line[name], values, err_msg=name)


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


@settings(max_examples=300, deadline=None)
@given(played, played, st.integers(1, 3))
def test_no_bar_knows_what_sounds_from_its_line_on(first: list[Note], second: list[Note], bar: int) -> None:
    """Notes that begin before the line go on as they may, and what begins after it is other music."""
    line = 4.0 * bar
    begun = [note for note in first if note.onset < line]
    # One that reaches the line may be cut there or be held for longer; one that ended before has ended.
    longer = [note if note.onset + note.length < line else note._replace(length=17 - note.onset) for note in begun]
    pieces = ([*begun, *(n for n in first if n.onset >= line)], [*longer, *(n for n in second if n.onset >= line)])
    found: list[NDArray[np.float64]] = []
    for played_notes in pieces:
        notes = notes_of(played_notes)
        groove = np.random.default_rng(0).uniform(-1, 1, (4, 32))
        groove[bar:] = len(found)
        is_melody = notes.pitch >= 60
        found.append(heard_in(ENTRY, notes, is_melody, windows(4, groove)))
    np.testing.assert_array_equal(found[0][: bar + 1], found[1][: bar + 1])


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 20), st.integers(30, 90), st.integers(0, 2)).map(
            lambda note: (note[0] / 8, (note[0] + note[1]) / 8, note[2], note[3])
        ),
        max_size=30,
    )
)
def test_dissonant_pairs_are_those_of_looking_at_all_pairs(notes: list[tuple[float, float, int, int]]) -> None:
    together, dissonant = [0, 0, 0], [0, 0, 0]
    for i, (onset, end, pitch, window) in enumerate(notes):
        for other_onset, other_end, other_pitch, other_window in notes[:i]:
            if window == other_window and min(end, other_end) - max(onset, other_onset) > 1e-6:
                together[window] += 1
                dissonant[window] += abs(pitch - other_pitch) % 12 in (1, 6, 11)
    onsets, ends, pitches, windows = ([note[i] for note in notes] for i in range(4))
    found = tonality.dissonant_pairs(onsets, ends, pitches, windows, num_windows=3)
    assert [counts.tolist() for counts in found] == [dissonant, together]


def test_the_mean_that_nothing_fades_in_is_the_plain_one() -> None:
    measured = np.array([[1.0], [np.nan], [3.0], [5.0]])
    assert heard_before(measured, decay=1.0)[:, 0].tolist() == [0, 1, 1, 2]


def test_a_held_note_is_counted_where_it_begins() -> None:
    struck = [Note(i, 1.0, pitch) for i in range(0, 16, 4) for pitch in (60, 64, 67)]
    held = [Note(0, 16.0, pitch) for pitch in (60, 64, 67)]
    often, once = (heard(notes_of(notes), 4)["arousal"] for notes in (struck, held))
    assert often[1] == pytest.approx(once[1])  # the first bar is the same
    assert often[3] > once[3] + 0.1
