"""Bars, melody and groove of hand-written music with an obvious result."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.played import SCALE, Note, notes_of, read, write

from kelly.runtime.errors import KellyError
from kelly.sources.music.metre import bar_lines, beat_edges
from kelly.sources.music.piece import MEDIAN_PITCH, Music, melody_of, read_music, skyline, sounding_pitches
from kelly.sources.skipped import NotApplicableError

Metres = tuple[tuple[float, int, int], ...]
COMMON: Metres = ((0, 4, 4),)
EIGHTHS = [Note(i / 2, 0.4, SCALE[i % 8]) for i in range(16)]  # two bars of 4/4


def music_of(tmp_path: Path, notes: list[Note], metres: Metres = COMMON) -> Music:
    return read_music(*read(write(tmp_path / "a.mid", {"Piano": notes}, metres=metres)))


def with_beats(tmp_path: Path, notes: list[Note], beats_s: list[float], per_bar: int = 4) -> Music:
    """A piece of 120 bpm with annotated beats, `per_bar` to the bar."""
    entry, midi = read(write(tmp_path / "a.mid", {"Piano": notes}))
    lines = [f"{beat} {float(i % 2 == 0)} {float(i % per_bar == 0)}" for i, beat in enumerate(beats_s)]
    (tmp_path / "beats.txt").write_text("\n".join(lines) + "\n")
    return read_music(replace(entry, beats=tmp_path / "beats.txt"), midi)


@pytest.mark.parametrize("late", [0.0, 1 / 12])  # a twelfth of a quarter is a third of a sixteenth
def test_the_groove_is_the_delay_between_the_beats_in_half_sixteenths(tmp_path: Path, late: float) -> None:
    swung = [note._replace(onset=note.onset + (late if i % 2 else 0.0)) for i, note in enumerate(EIGHTHS)]
    groove = music_of(tmp_path, swung).groove
    assert groove.shape == (2, 32)
    np.testing.assert_allclose(groove[:, [0, 4, 8, 12]], 0.0, atol=1e-12)
    np.testing.assert_allclose(groove[:, [2, 6, 10, 14]], 8 * late, atol=1e-12)
    np.testing.assert_allclose(groove[:, 16:32:2], 0.0, atol=1e-12)  # no accents
    assert np.isnan(groove[:, 1:32:2]).all()


def test_drums_and_notes_share_one_groove(tmp_path: Path) -> None:
    hits = [Note(i + 0.125 / 2, 0.1, 38, 120) for i in range(8)]
    path = write(tmp_path / "a.mid", {"Piano": EIGHTHS, "Drums": hits})
    music = read_music(*read(path))
    np.testing.assert_allclose(music.groove[:, [0, 4, 8, 12]], 0.25)  # the mean of 0 and half of half a sixteenth
    np.testing.assert_allclose(music.groove[:, [2, 6, 10, 14]], 0.0, atol=1e-12)
    mean = (8 * 80 + 4 * 120) / 12
    np.testing.assert_allclose(music.groove[:, [16, 20, 24, 28]], 100 / mean - 1)
    assert len(music.notes) == 16  # drums have no pitch


def test_a_bar_of_another_metre_has_no_groove(tmp_path: Path) -> None:
    notes = [Note(i / 2, 0.4, SCALE[i % 8]) for i in range(14)]  # three quarters, then four
    groove = music_of(tmp_path, notes, ((0, 3, 4), (3, 4, 4))).groove
    assert np.isfinite(groove).any(axis=1).tolist() == [False, True]


def test_the_tonic_is_c_and_the_melody_lies_near_the_median_pitch(tmp_path: Path) -> None:
    high = [note._replace(pitch=note.pitch + 27) for note in EIGHTHS]
    music = music_of(tmp_path, high)
    assert (music.key.tonic, music.key.mode) == (3, "major")
    assert music.notes.pitch.tolist() == music.score[:, 2].tolist() == [note.pitch for note in EIGHTHS]
    assert abs(np.median(music.notes.pitch) - MEDIAN_PITCH) <= 6


def test_score_notes_are_quantized_and_never_empty(tmp_path: Path) -> None:
    loose = [note._replace(onset=note.onset + 0.1, length=0.02) for note in EIGHTHS]
    music = music_of(tmp_path, loose)
    np.testing.assert_allclose(music.score[:, 0], [note.onset for note in EIGHTHS])
    np.testing.assert_allclose(music.score[:, 1] - music.score[:, 0], 0.25)
    np.testing.assert_allclose(music.notes.onset_quarters, [note.onset + 0.1 for note in EIGHTHS], atol=1e-3)


@pytest.mark.parametrize(
    ("num_quarters", "metres", "expected", "is_4_4"),
    [
        (14, ((0, 3, 4), (6, 4, 4)), [0, 3, 6, 10, 14], [False, False, True, True]),
        (12, ((0, 4, 4), (6, 3, 4)), [0, 4, 6, 9, 12], [True, False, False, False]),  # a change within a bar cuts it
        (12, ((0, 4, 4), (6, 4, 4)), [0, 4, 6, 10, 14], [True, False, True, True]),
        (4, COMMON, [0, 4], [True]),
        (5, COMMON, [0, 4, 8], [True, True]),  # the last bar is complete
        (5, ((0, 4, 4), (8, 3, 4)), [0, 4, 8], [True, True]),  # a metre after the end adds none
    ],
)
def test_bars_follow_the_time_signatures(
    tmp_path: Path, num_quarters: int, metres: Metres, expected: list[float], is_4_4: list[bool]
) -> None:
    notes = [Note(i, 1.0, 60) for i in range(num_quarters)]
    _, midi = read(write(tmp_path / "a.mid", {"Piano": notes}, metres=metres))
    assert [array.tolist() for array in bar_lines(midi)] == [expected, is_4_4]


def test_a_pickup_is_a_bar_of_its_own(tmp_path: Path) -> None:
    notes = [Note(0, 1, 67), *(note._replace(onset=note.onset + 1) for note in EIGHTHS)]
    music = music_of(tmp_path, notes, ((0, 1, 4), (1, 4, 4)))
    assert music.bars.tolist() == [0, 1, 5, 9]
    assert np.isfinite(music.groove).any(axis=1).tolist() == [False, True, True]
    assert beat_edges(music.bars).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_too_many_bars_are_rejected(tmp_path: Path) -> None:
    notes = [Note(0, 1, 60), Note(40_000, 1, 60)]
    with pytest.raises(KellyError, match="320008 bars"):
        music_of(tmp_path, notes, ((0, 1, 32),))


def test_bars_before_the_first_note_and_after_the_last_are_left_out(tmp_path: Path) -> None:
    late = [note._replace(onset=note.onset + 8) for note in EIGHTHS]
    music = music_of(tmp_path, late)
    assert music.bars.tolist() == [8, 12, 16]
    assert music.bars_s.tolist() == [4, 6, 8]
    assert music.bpm.tolist() == [120, 120]
    # The last note reaches a little over the bar line, which makes no bar.
    music = music_of(tmp_path, [*EIGHTHS[:-1], Note(7.5, 0.55, 72)])
    assert music.bars.tolist() == [0, 4, 8]


def test_annotated_beats_replace_those_of_the_file(tmp_path: Path) -> None:
    # The file has 120 bpm, but its beats are 0.6 s apart, from 0.3 s on; there are two notes per beat.
    notes = [Note(0.6 + 0.6 * i, 0.5, SCALE[i % 8]) for i in range(16)]  # at 0.3 s, 0.6 s …
    music = with_beats(tmp_path, notes, [round(0.3 + 0.6 * i, 6) for i in range(9)])
    np.testing.assert_allclose(music.bars, [0, 4, 8])
    np.testing.assert_allclose(music.bars_s, [0.3, 2.7, 5.1])
    np.testing.assert_allclose(music.bpm, 100.0)
    np.testing.assert_allclose(music.score[:, 0], np.arange(16) / 2)
    np.testing.assert_allclose(music.groove[:, [0, 2, 4, 6, 8, 10, 12, 14]], 0.0, atol=0.01)


def test_the_tempo_before_and_after_the_annotated_beats_is_extrapolated(tmp_path: Path) -> None:
    notes = [Note(t / 0.5, 0.2, SCALE[i % 8]) for i, t in enumerate((0.25, 1, 2, 3, 4, 5, 6, 7, 8, 9.5))]
    beats = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0]  # a beat takes 0.5 s first and 1 s at the end
    music = with_beats(tmp_path, notes, beats)
    np.testing.assert_allclose(music.score[:, 0], [-1.5, 0, 2, 4, 5, 6, 7, 8, 9, 10.5])
    np.testing.assert_allclose(music.bars, [-4, 0, 4, 8, 12])  # a bar for what comes before the first bar line
    np.testing.assert_allclose(music.bars_s, [-1, 1, 3, 7, 11])
    np.testing.assert_allclose(music.bpm, [120, 120, 60, 60])


def test_annotated_bars_of_three_beats_have_no_groove(tmp_path: Path) -> None:
    music = with_beats(tmp_path, EIGHTHS, [0.5 * i for i in range(10)], per_bar=3)
    np.testing.assert_allclose(music.bars, [0, 3, 6, 9])
    assert np.isnan(music.groove).all()


def test_music_without_bars_is_divided_into_windows_of_seconds(tmp_path: Path) -> None:
    late = [note._replace(onset=note.onset + 1) for note in EIGHTHS]  # from 0.5 s to 4.45 s
    music = read_music(*read(write(tmp_path / "a.mid", {"Piano": late})), window_s=1.5)
    np.testing.assert_allclose(music.bars_s, [0.5, 2.0, 3.5, 5.0])
    np.testing.assert_allclose(music.bars, music.bars_s)
    np.testing.assert_allclose(music.score[:, 0], [0.5 + 0.25 * i for i in range(16)])
    assert np.isnan(music.bpm).all()
    assert np.isnan(music.groove).all()


def test_the_skyline_is_the_upper_of_two_voices() -> None:
    upper = [Note(i, 1, 72 + i % 3) for i in range(8)]
    lower = [Note(i / 2, 0.5, 60 - i % 3) for i in range(16)]
    notes = notes_of([*upper, *lower])
    assert (notes.pitch[skyline(notes)] >= 72).all()
    assert len(skyline(notes)) == 8


@pytest.mark.parametrize(
    ("played", "expected"),
    [
        ([Note(0, 2, 72), Note(1, 1, 60), Note(2, 1, 60), Note(3, 1, 71)], [0, 2, 3]),
        ([Note(0, 2.04, 72), Note(2, 1, 60)], [0, 2]),  # an overlap of less than 25 ms is none
        ([Note(0, 2.1, 72), Note(2, 1, 60)], [0]),
    ],
)
def test_a_lower_note_is_melody_once_the_higher_has_ended(played: list[Note], expected: list[float]) -> None:
    notes = notes_of(played)
    assert notes.onset_quarters[skyline(notes)].tolist() == expected


def test_of_a_spread_chord_the_highest_note_is_melody_and_of_one_pitch_the_longest() -> None:
    notes = notes_of([Note(0, 1, 60), Note(0.03, 1, 64), Note(0.06, 1, 67), Note(2, 1, 62), Note(2, 2, 62)])
    rows = skyline(notes)
    assert notes.pitch[rows].tolist() == [67, 62]
    assert notes.duration_quarters[rows].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("name", "notes", "is_melody"),
    [
        *((name, EIGHTHS, True) for name in ("Melody", "lead vocal", "VOICE 1", "Singer")),
        ("Strings", EIGHTHS, False),
        ("Melody", [Note(0, 1, 40), Note(1, 1, 41)], False),  # too few notes
    ],
)
def test_a_track_named_melody_is_the_melody_even_below_others(
    tmp_path: Path, name: str, notes: list[Note], is_melody: bool
) -> None:
    above = [note._replace(pitch=note.pitch + 24) for note in EIGHTHS]
    _, midi = read(write(tmp_path / "a.mid", {"Piano": above, name: notes}))
    melody = midi.notes.pitch[melody_of(midi.notes, midi.track_names)]
    assert sorted(melody) == sorted(note.pitch for note in (notes if is_melody else above))


def test_a_note_sounds_in_each_bar_that_has_a_32nd_or_half_of_it(tmp_path: Path) -> None:
    notes = [*EIGHTHS[:7], Note(3.5, 1.0, 72), *(note._replace(pitch=64) for note in EIGHTHS[9:])]
    music = music_of(tmp_path, notes)
    shift = int(music.score[0, 2]) - 60
    first, second = (set((np.flatnonzero(bar) - shift).tolist()) for bar in sounding_pitches(music))
    assert first == {60, 62, 64, 65, 67, 69, 71, 72}
    assert second == {64, 72}


@pytest.mark.parametrize(
    ("track", "notes", "reason"),
    [
        ("Piano", EIGHTHS[:7], "7 pitched notes"),
        ("Drums", EIGHTHS, "0 pitched notes"),
        ("Piano", [Note(i, 1, 60 + i) for i in range(12)], "no key"),
        ("Piano", EIGHTHS[:8], r"1 bar\(s\)"),
    ],
)
def test_a_file_that_is_not_a_piece_is_not_applicable(
    tmp_path: Path, track: str, notes: list[Note], reason: str
) -> None:
    with pytest.raises(NotApplicableError, match=reason):
        read_music(*read(write(tmp_path / "a.mid", {track: notes})))
