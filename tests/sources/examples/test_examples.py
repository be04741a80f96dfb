"""What each network learns from music whose answer is obvious; no row knows what is to be predicted."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.played import EXTRACT, SCALE, Note, eighths, learned, random_music, read, write

from kelly.features.context import heard_before
from kelly.features.emotion import BLOCK_SIZE, COORDINATES, EMBEDDING_SIZE, decode, decode_block, embed
from kelly.runtime.errors import KellyError
from kelly.sources.examples import dynamics, groove, harmony, melody
from kelly.sources.extraction.measured import measure_notes
from kelly.sources.extraction.rows import Examples, limited
from kelly.sources.layouts.listing import Entry
from kelly.sources.music.chords import CHORDS, derive_chords, harmony_contexts
from kelly.sources.music.metre import beat_edges
from kelly.sources.music.performance import DYNAMICS
from kelly.sources.music.piece import read_music
from kelly.sources.skipped import NotApplicableError

TWO_FIVE_ONE = [[50, 53, 57, 60], [43, 53, 59, 62], [48, 52, 55, 59], [48, 52, 55, 59]]  # Dmin7, G7, Cmaj7


def chord_bars(times: int = 2, shift: int = 0) -> list[Note]:
    """A chord a bar, each of its notes in each beat."""
    chords = TWO_FIVE_ONE * times
    return [
        Note(4 * i + beat, 0.9, pitch + shift) for i, chord in enumerate(chords) for beat in range(4) for pitch in chord
    ]


def other_from(tracks: dict[str, list[Note]], bar: int, num_bars: int = 6) -> dict[str, list[Note]]:
    """The piece with all bars from one on played backwards, and as soft as they were loud; its key stays."""
    start, end = 4.0 * bar, 4.0 * num_bars
    return {
        name: [
            note
            if note.onset < start
            else note._replace(onset=start + end - note.onset - note.length, velocity=140 - note.velocity)
            for note in notes
        ]
        for name, notes in tracks.items()
    }


def test_melody_sees_what_was_heard_and_predicts_the_bars_pitches(tmp_path: Path) -> None:
    entry, midi = read(write(tmp_path / "a.mid", {"Piano": eighths(3)}))
    rows, mode = melody.extract_examples(entry, midi, num_frames=2)
    assert mode == "major"
    assert (rows["inputs"].shape, rows["targets"].shape) == ((2, 2, 64), (2, 2, 128))
    assert rows["mask"].all(axis=2).tolist() == [[True, True], [True, False]]
    for bar in ((0, 0), (0, 1), (1, 0)):
        assert np.flatnonzero(rows["targets"][bar]).tolist() == SCALE
    assert np.isnan(rows["previous"][0, 0]).all()
    np.testing.assert_array_equal(rows["previous"][1, 0], rows["targets"][0, 1])
    np.testing.assert_array_equal(rows["inputs"][1, 1], rows["inputs"][1, 0])  # past the end all stays as it was


@pytest.mark.parametrize("shift", [0, 3])
def test_chords_of_two_five_one_are_the_same_above_every_tonic(tmp_path: Path, shift: int) -> None:
    rows, mode = harmony.extract_examples(*read(write(tmp_path / "a.mid", {"Piano": chord_bars(shift=shift)})))
    assert mode == "major"
    chords = [CHORDS[chord] for chord in rows["targets"][:, 0]]
    assert chords == ["D:min7", "G:7", "C:maj7"] * 2
    assert rows["targets"][:, 0].tolist() == [14, 37, 3] * 2
    assert rows["inputs"].shape == (6, 1, 128)
    assert rows["inputs"].dtype == np.float32
    np.testing.assert_array_equal(rows["inputs"][:, 0, EMBEDDING_SIZE:], harmony_contexts(rows["targets"][:, 0]))
    assert not rows["inputs"][0, 0, EMBEDDING_SIZE:].any()


def test_two_keys_give_the_same_rows_of_harmony(tmp_path: Path) -> None:
    in_c, in_e_flat = (
        learned(tmp_path / "a.mid", harmony.extract_examples, {"Piano": chord_bars(shift=s)}) for s in (0, 3)
    )
    np.testing.assert_array_equal(in_c["targets"], in_e_flat["targets"])
    np.testing.assert_allclose(in_c["inputs"], in_e_flat["inputs"], atol=1e-6)


def test_annotated_chords_take_the_place_of_derived_ones(tmp_path: Path) -> None:
    entry, midi = read(write(tmp_path / "a.mid", {"Piano": chord_bars()}))
    (tmp_path / "beats.txt").write_text("".join(f"{i / 2} {i % 2 == 0:d} {i % 4 == 0:d}\n" for i in range(33)))
    labels = ["C:maj", "C:maj", "F:maj/3", "G:sus4", "A:min", "N"]
    # The second label is a little early, as it leads into the second bar; the first row begins before the music.
    starts = [0.0, 1.97, 3.98, 6.0, 9.0, 12.0, 15.0]
    lines = [f"{starts[i]}\t{starts[i + 1]}\t{label}\n" for i, label in enumerate(labels)]
    (tmp_path / "chords.txt").write_text("".join(lines))
    annotated = replace(entry, beats=tmp_path / "beats.txt", chords=tmp_path / "chords.txt")
    rows, _ = harmony.extract_examples(annotated, midi)
    assert [CHORDS[chord] for chord in rows["targets"][:, 0]] == ["C:maj", "F:maj", "sus", "A:min", "N"]
    bars = [0, 2, 3, 4, 6]
    sung = learned(tmp_path / "a.mid", partial(melody.extract_examples, num_frames=8), {"Piano": chord_bars()})
    np.testing.assert_allclose(rows["inputs"][:, 0, :EMBEDDING_SIZE], sung["inputs"][0, bars], atol=1e-6)


def test_an_unknown_chord_of_an_annotation_is_told_with_its_file(tmp_path: Path) -> None:
    entry, midi = read(write(tmp_path / "a.mid", {"Piano": chord_bars()}))
    (tmp_path / "chords.txt").write_text("0.0\t4.0\tC:maj\n4.0\t8.0\tX:maj\n")
    with pytest.raises(KellyError, match=r"chords\.txt: chord 'X:maj' is not known"):
        harmony.extract_examples(replace(entry, chords=tmp_path / "chords.txt"), midi)


def test_hardly_any_chords_are_unsuited(tmp_path: Path) -> None:
    one = [note._replace(onset=note.onset % 8) for note in chord_bars(1) if note.onset < 8]
    with pytest.raises(NotApplicableError, match=r"2 chord\(s\), expected at least 4"):
        harmony.extract_examples(*read(write(tmp_path / "a.mid", {"Piano": one})))


@pytest.mark.parametrize("name", ["melody", "dynamics"])
def test_a_note_that_is_played_a_little_early_is_not_heard_before_its_bar(tmp_path: Path, name: str) -> None:
    inputs = []
    for velocity, pitch in ((40, 60), (120, 84)):
        notes = [Note(i / 2, 0.4, SCALE[i % 8], 60 + i % 3) for i in range(32)]
        notes[8] = Note(3.9, 0.5, pitch, velocity)  # the first of the second bar, a tenth of a quarter early
        rows = learned(tmp_path / f"{pitch}.mid", EXTRACT[name], {"Piano": notes})
        inputs.append(rows["inputs"].reshape(-1, rows["inputs"].shape[-1])[:2])
    np.testing.assert_array_equal(inputs[0], inputs[1])


def test_a_crescendo_is_read_from_its_bar(tmp_path: Path) -> None:
    velocities = [40, 48, 56, 64, 64, 56, 48, 40]
    notes = [Note(i, 0.5, SCALE[i], velocity) for i, velocity in enumerate(velocities)]
    rows = learned(tmp_path / "a.mid", EXTRACT["dynamics"], {"Piano": notes})
    assert (rows["inputs"].shape, rows["targets"].shape) == ((2, 1, BLOCK_SIZE), (2, 1, 16))
    names = [name for name, _ in DYNAMICS]
    crescendo, mean, articulation = (names.index(n) for n in ("crescendo", "mean_velocity", "articulation"))
    np.testing.assert_allclose(rows["targets"][:, 0, crescendo], [0.75, 0.25])  # 16 of 32 velocities
    np.testing.assert_allclose(rows["targets"][:, 0, mean], 52 / 127)
    np.testing.assert_allclose(rows["targets"][:, 0, articulation], 0.25)  # half of the gap, halved
    np.testing.assert_allclose(rows["inputs"][0, 0], embed(np.zeros(9))[:BLOCK_SIZE], atol=1e-6)
    total, weight = decode_block(rows["inputs"][1, 0].astype(np.float64), 0)
    heard = dict(zip(COORDINATES, total / weight, strict=True))
    assert heard["loudness"] == pytest.approx((52 - 63.5) / 40, abs=1e-5)
    np.testing.assert_array_equal(rows["previous"][1], np.where(rows["mask"][0], rows["targets"][0], np.nan))


def test_dynamics_of_seconds_are_those_of_windows_from_the_first_note_on(tmp_path: Path) -> None:
    notes = [Note(1 + i, 0.5, SCALE[i], 40 + 4 * i) for i in range(8)]  # twice a second, from 0.5 s on
    rows = learned(tmp_path / "a.mid", partial(dynamics.extract_examples, window_s=2.0), {"Piano": notes})
    np.testing.assert_allclose(rows["targets"][:, 0, 0], [46 / 127, 62 / 127])
    np.testing.assert_allclose(rows["targets"][:, 0, 5], 0.5 + 0.5 * 8 / 32)


def test_dynamics_are_those_of_the_part_that_is_asked_for(tmp_path: Path) -> None:
    hits = [Note(i, 0.2, 38, 100 if i % 2 else 60) for i in range(8)]
    both = {"Drums": hits, "Piano": eighths()}
    drums = learned(tmp_path / "a.mid", partial(dynamics.extract_examples, window_s=None, part="drums"), both)
    np.testing.assert_allclose(drums["targets"][:, 0, 7], 0.5 + 0.5 * 20 / 32)  # backbeats, 20 above the mean
    piano = learned(tmp_path / "a.mid", EXTRACT["dynamics"], both)
    np.testing.assert_allclose(piano["targets"][:, 0, 0], [80.875 / 127, 81 / 127], rtol=1e-6)
    with pytest.raises(NotApplicableError, match="0 pitched notes, expected at least 8"):
        learned(tmp_path / "a.mid", EXTRACT["dynamics"], {"Drums": hits})
    with pytest.raises(NotApplicableError, match="no drums, expected notes on channel 10"):
        learned(
            tmp_path / "a.mid", partial(dynamics.extract_examples, window_s=None, part="drums"), {"Piano": eighths()}
        )


def test_drums_are_not_told_by_the_second(tmp_path: Path) -> None:
    hits = [Note(i, 0.2, 38, 100 if i % 2 else 60) for i in range(8)]
    with pytest.raises(NotApplicableError, match="drums are told bar by bar, expected window_s: null"):
        learned(tmp_path / "a.mid", partial(dynamics.extract_examples, window_s=2.0, part="drums"), {"Drums": hits})


@pytest.mark.parametrize("track", ["Drums", "Piano"])
def test_a_rated_groove_is_known_by_its_rating_from_the_start(tmp_path: Path, track: str) -> None:
    entry, midi = read(write(tmp_path / "a.mid", {track: eighths()}))
    rows, _ = groove.extract_examples(replace(entry, valence=0.5, arousal=-0.25), midi, context="embedding")
    np.testing.assert_allclose(decode(rows["inputs"][0, 0])[:2], [0.5, -0.25], atol=1e-5)
    np.testing.assert_allclose(decode(rows["inputs"][1, 0])[0], 0.5, atol=1e-5)


def test_groove_is_that_of_the_drums_where_there_are_some(tmp_path: Path) -> None:
    late = [Note(i / 2 + 0.0625, 0.1, 38, 80) for i in range(16)]  # half of half a sixteenth
    rows = learned(tmp_path / "a.mid", EXTRACT["groove"], {"Drums": late, "Piano": eighths()})
    np.testing.assert_allclose(rows["targets"][:, 0, 0:16:2], 0.5)
    np.testing.assert_allclose(rows["targets"][:, 0, 16::2], 0.0)
    assert rows["mask"][:, 0].tolist() == [[True, False] * 16] * 2
    piano = learned(tmp_path / "a.mid", EXTRACT["groove"], {"Piano": eighths()})
    np.testing.assert_allclose(piano["targets"][:, 0, 0:16:2], 0.0)
    assert piano["targets"][:, 0, 16::2].any()


def test_groove_may_be_told_the_groove_that_was_heard(tmp_path: Path) -> None:
    tracks = random_music(1)
    embedded, told = (learned(tmp_path / "a.mid", EXTRACT[name], tracks) for name in ("groove", "groove heard"))
    played = np.where(embedded["mask"], embedded["targets"], np.nan)[:, 0]
    np.testing.assert_allclose(told["inputs"][:, 0, :BLOCK_SIZE], heard_before(played), atol=1e-6)
    np.testing.assert_array_equal(told["inputs"][..., BLOCK_SIZE:], embedded["inputs"][..., BLOCK_SIZE:])
    for name in ("targets", "mask", "previous"):
        np.testing.assert_array_equal(told[name], embedded[name])


@pytest.mark.parametrize(
    ("name", "notes", "reason"),
    [
        ("dynamics", [note._replace(velocity=64) for note in eighths()], "all velocities are 64, expected a perform"),
        ("groove", [note._replace(velocity=64) for note in eighths()], "every note on the grid and as loud as the"),
        ("melody", eighths()[:7], "7 pitched notes"),
    ],
)
def test_a_file_that_does_not_suit_says_why(tmp_path: Path, name: str, notes: list[Note], reason: str) -> None:
    path = tmp_path / "a.mid"
    with pytest.raises(NotApplicableError, match=reason) as error:
        learned(path, EXTRACT[name], {"Piano": notes})
    assert str(error.value).startswith(f"{path}: ")


def test_a_rated_valence_is_in_every_row_and_a_rated_arousal_in_the_first(tmp_path: Path) -> None:
    entry, midi = read(write(tmp_path / "a.mid", random_music(2)))
    rated = replace(entry, valence=0.6, arousal=-0.5)
    sung = melody.extract_examples(rated, midi, num_frames=6)[0]["inputs"][0]
    known = decode(sung.astype(np.float64))
    np.testing.assert_allclose(known[:, 0], 0.6, atol=1e-5)
    np.testing.assert_allclose(known[:2, 1], -0.5, atol=1e-5)
    assert len(np.unique(known[:, 1].round(4))) > 2
    chords = harmony.extract_examples(rated, midi)[0]["inputs"][:, 0, :EMBEDDING_SIZE]
    np.testing.assert_allclose(decode(chords.astype(np.float64))[:, 0], 0.6, atol=1e-5)


def same_up_to(before: Examples, after: Examples, row: int) -> None:
    """Examples up to one have the same inputs, and all before it the same targets; some later ones have not."""
    for name, last in (("inputs", row + 1), ("targets", row)):
        np.testing.assert_array_equal(before[name][:last], after[name][:last])
        assert not np.array_equal(before[name][last:], after[name][last:])


@pytest.mark.parametrize("bar", [1, 2, 4])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", ["dynamics", "groove", "groove heard"])
def test_no_row_knows_its_own_bar(tmp_path: Path, name: str, seed: int, bar: int) -> None:
    tracks = random_music(seed)
    before, after = (learned(tmp_path / "a.mid", EXTRACT[name], t) for t in (tracks, other_from(tracks, bar)))
    same_up_to(before, after, bar)


@pytest.mark.parametrize("bar", [1, 2, 4])
@pytest.mark.parametrize("seed", range(5))
def test_no_frame_of_a_melody_knows_its_own_bar(tmp_path: Path, seed: int, bar: int) -> None:
    tracks = random_music(seed)
    frames = [learned(tmp_path / "a.mid", EXTRACT["melody"], t) for t in (tracks, other_from(tracks, bar))]
    before, after = ({name: array[0, :6] for name, array in rows.items()} for rows in frames)
    same_up_to(before, after, bar)


@pytest.mark.parametrize("bar", [1, 2, 4])
@pytest.mark.parametrize("seed", range(5))
def test_no_chord_knows_its_own_bar(tmp_path: Path, seed: int, bar: int) -> None:
    tracks = random_music(seed)
    entry, midi = read(write(tmp_path / "a.mid", tracks))
    music = read_music(entry, midi)
    moments, _ = derive_chords(music.score, beat_edges(music.bars), tonic=0)
    row = int(np.searchsorted(moments, 4.0 * bar))
    before, after = (
        learned(tmp_path / "a.mid", harmony.extract_examples, t) for t in (tracks, other_from(tracks, bar))
    )
    np.testing.assert_array_equal(before["targets"][:row], after["targets"][:row])
    np.testing.assert_array_equal(before["inputs"][:row], after["inputs"][:row])
    assert not np.array_equal(before["inputs"][row:], after["inputs"][row:])
    # What the first chord from the line on is given was heard before it.
    embedding, context = np.split(before["inputs"][row, 0], [EMBEDDING_SIZE])
    other_embedding, other_context = np.split(after["inputs"][row, 0], [EMBEDDING_SIZE])
    np.testing.assert_array_equal(context, other_context)
    np.testing.assert_array_equal(embedding, other_embedding)


@pytest.mark.parametrize("window_s", [0.7, 1.5, 2.0])
@pytest.mark.parametrize("seed", range(5))
def test_no_window_of_seconds_knows_what_sounds_in_it(tmp_path: Path, seed: int, window_s: float) -> None:
    tracks = random_music(seed)
    tracks["Melody"][0] = tracks["Melody"][0]._replace(onset=0.0)  # where the windows begin
    lesson = partial(dynamics.extract_examples, window_s=window_s)
    bar = 3
    before, after = (learned(tmp_path / "a.mid", lesson, t) for t in (tracks, other_from(tracks, bar)))
    row = int(2.0 * bar // window_s)  # the window in which the change begins: 120 bpm, two seconds a bar
    assert len(before["inputs"]) > row
    same_up_to(before, after, row)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40))
def test_limited_windows_are_spread_evenly_from_the_first_to_the_last(num_rows: int, most: int) -> None:
    rows = {"inputs": np.arange(num_rows), "targets": np.arange(num_rows) * 2}
    chosen = limited(rows, most)
    assert len(chosen["inputs"]) == min(num_rows, most)
    np.testing.assert_array_equal(chosen["targets"], 2 * chosen["inputs"])
    steps = np.diff(chosen["inputs"])
    assert (steps >= 1).all()
    assert np.ptp(steps) <= 1 if len(steps) else True
    assert chosen["inputs"][0] == 0
    assert chosen["inputs"][-1] == num_rows - 1 or most == 1
    assert limited(rows, None) is rows


def test_a_piece_without_a_window_to_learn_from_is_unsuited(tmp_path: Path) -> None:
    sparse = [Note(4 * i, 1, SCALE[i % 8], 60 + i) for i in range(12)]
    path = write(tmp_path / "a.mid", {"Piano": sparse})
    with pytest.raises(NotApplicableError, match="no window with enough notes"):
        measure_notes(
            Entry("a.mid", path),
            extract=dynamics.extract_examples,
            max_windows_per_piece=None,
            augmentation=None,
            settings={"window_s": None},
        )
