"""Examples of each network from music with an obvious result."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.played import EXTRACT, SCALE, Note, eighths, extracted, random_music, read, write

from kelly.features.context import decayed_mean
from kelly.features.emotion import BLOCK_SIZE, COORDINATES, EMBEDDING_SIZE, decode, decode_block, embed
from kelly.features.vocabulary import CHORDS, DYNAMICS
from kelly.runtime.errors import KellyError
from kelly.sources.examples import dynamics, groove, harmony, melody
from kelly.sources.extraction.file_examples import extract_midi
from kelly.sources.extraction.sequences import limit_windows
from kelly.sources.layouts.manifest import Entry
from kelly.sources.music.chords import harmony_contexts
from kelly.sources.skipped import NotApplicableError

TWO_FIVE_ONE = [[50, 53, 57, 60], [43, 53, 59, 62], [48, 52, 55, 59], [48, 52, 55, 59]]  # Dmin7, G7, Cmaj7


def chord_bars(times: int = 2, shift: int = 0) -> list[Note]:
    """One chord per bar, its notes repeated on every beat."""
    chords = TWO_FIVE_ONE * times
    return [
        Note(4 * i + beat, 0.9, pitch + shift) for i, chord in enumerate(chords) for beat in range(4) for pitch in chord
    ]


def test_melody_gets_the_context_and_predicts_the_pitches_of_a_bar(tmp_path: Path) -> None:
    entry, midi = read(write(tmp_path / "a.mid", {"Piano": eighths(3)}))
    rows, mode = melody.extract_examples(entry, midi, num_frames=2)
    assert mode == "major"
    assert (rows["inputs"].shape, rows["targets"].shape) == ((2, 2, 64), (2, 2, 128))
    assert rows["mask"].all(axis=2).tolist() == [[True, True], [True, False]]
    for bar in ((0, 0), (0, 1), (1, 0)):
        assert np.flatnonzero(rows["targets"][bar]).tolist() == SCALE
    assert np.isnan(rows["previous"][0, 0]).all()
    np.testing.assert_array_equal(rows["previous"][1, 0], rows["targets"][0, 1])
    np.testing.assert_array_equal(rows["inputs"][1, 1], rows["inputs"][1, 0])  # the last frame is repeated past the end


def test_two_five_one_gives_the_same_chords_in_every_key(tmp_path: Path) -> None:
    tracks = [{"Piano": chord_bars(shift=shift)} for shift in (0, 3)]
    rows, in_e_flat = (extracted(tmp_path / "a.mid", harmony.extract_examples, track) for track in tracks)
    assert [CHORDS[chord] for chord in rows["targets"][:, 0]] == ["D:min7", "G:7", "C:maj7"] * 2
    assert rows["inputs"].shape == (6, 1, 128)
    assert rows["inputs"].dtype == np.float32
    np.testing.assert_array_equal(rows["inputs"][:, 0, EMBEDDING_SIZE:], harmony_contexts(rows["targets"][:, 0]))
    assert not rows["inputs"][0, 0, EMBEDDING_SIZE:].any()
    np.testing.assert_array_equal(rows["targets"], in_e_flat["targets"])
    np.testing.assert_allclose(rows["inputs"], in_e_flat["inputs"], atol=1e-6)


def test_annotated_chords_replace_derived_ones(tmp_path: Path) -> None:
    entry, midi = read(write(tmp_path / "a.mid", {"Piano": chord_bars()}))
    (tmp_path / "beats.txt").write_text("".join(f"{i / 2} {i % 2 == 0:d} {i % 4 == 0:d}\n" for i in range(33)))
    labels = ["C:maj", "C:maj", "F:maj/3", "G:sus4", "A:min", "N"]
    # The third label begins a little before its bar.
    starts = [0.0, 1.97, 3.98, 6.0, 9.0, 12.0, 15.0]
    lines = [f"{starts[i]}\t{starts[i + 1]}\t{label}\n" for i, label in enumerate(labels)]
    (tmp_path / "chords.txt").write_text("".join(lines))
    annotated = replace(entry, beats=tmp_path / "beats.txt", chords=tmp_path / "chords.txt")
    rows, _ = harmony.extract_examples(annotated, midi)
    assert [CHORDS[chord] for chord in rows["targets"][:, 0]] == ["C:maj", "F:maj", "sus", "A:min", "N"]
    bars = [0, 2, 3, 4, 6]
    melodies = extracted(tmp_path / "a.mid", partial(melody.extract_examples, num_frames=8), {"Piano": chord_bars()})
    np.testing.assert_allclose(rows["inputs"][:, 0, :EMBEDDING_SIZE], melodies["inputs"][0, bars], atol=1e-6)


def test_an_unknown_annotated_chord_is_reported_with_its_file(tmp_path: Path) -> None:
    entry, midi = read(write(tmp_path / "a.mid", {"Piano": chord_bars()}))
    (tmp_path / "chords.txt").write_text("0.0\t4.0\tC:maj\n4.0\t8.0\tX:maj\n")
    with pytest.raises(KellyError, match=r"chords\.txt: unknown chord 'X:maj'"):
        harmony.extract_examples(replace(entry, chords=tmp_path / "chords.txt"), midi)


def test_a_crescendo_is_measured_in_its_bar(tmp_path: Path) -> None:
    velocities = [40, 48, 56, 64, 64, 56, 48, 40]
    notes = [Note(i, 0.5, SCALE[i], velocity) for i, velocity in enumerate(velocities)]
    rows = extracted(tmp_path / "a.mid", EXTRACT["dynamics"], {"Piano": notes})
    assert (rows["inputs"].shape, rows["targets"].shape) == ((2, 1, BLOCK_SIZE), (2, 1, 16))
    names = [name for name, _ in DYNAMICS]
    crescendo, mean, articulation = (names.index(n) for n in ("crescendo", "mean_velocity", "articulation"))
    np.testing.assert_allclose(rows["targets"][:, 0, crescendo], [0.75, 0.25])  # 16 of 32 velocities
    np.testing.assert_allclose(rows["targets"][:, 0, mean], 52 / 127)
    np.testing.assert_allclose(rows["targets"][:, 0, articulation], 0.25)  # half of the gap, halved
    np.testing.assert_allclose(rows["inputs"][0, 0], embed(np.zeros(9))[:BLOCK_SIZE], atol=1e-6)
    total, weight = decode_block(rows["inputs"][1, 0].astype(np.float64), 0)
    context = dict(zip(COORDINATES, total / weight, strict=True))
    assert context["loudness"] == pytest.approx((52 - 63.5) / 40, abs=1e-5)
    np.testing.assert_array_equal(rows["previous"][1], np.where(rows["mask"][0], rows["targets"][0], np.nan))


def test_windows_of_seconds_begin_at_the_first_note(tmp_path: Path) -> None:
    notes = [Note(1 + i, 0.5, SCALE[i], 40 + 4 * i) for i in range(8)]  # twice a second, from 0.5 s on
    rows = extracted(tmp_path / "a.mid", partial(dynamics.extract_examples, window_s=2.0), {"Piano": notes})
    np.testing.assert_allclose(rows["targets"][:, 0, 0], [46 / 127, 62 / 127])
    np.testing.assert_allclose(rows["targets"][:, 0, 5], 0.5 + 0.5 * 8 / 32)


def test_dynamics_are_those_of_the_selected_part(tmp_path: Path) -> None:
    hits = [Note(i, 0.2, 38, 100 if i % 2 else 60) for i in range(8)]
    both = {"Drums": hits, "Piano": eighths()}
    drums = extracted(tmp_path / "a.mid", partial(dynamics.extract_examples, window_s=None, part="drums"), both)
    np.testing.assert_allclose(drums["targets"][:, 0, 7], 0.5 + 0.5 * 20 / 32)  # backbeats, 20 above the mean
    piano = extracted(tmp_path / "a.mid", EXTRACT["dynamics"], both)
    np.testing.assert_allclose(piano["targets"][:, 0, 0], [80.875 / 127, 81 / 127], rtol=1e-6)
    of_drums = partial(dynamics.extract_examples, part="drums")
    for extract, tracks, reason in (
        (EXTRACT["dynamics"], {"Drums": hits}, "0 pitched notes"),
        (partial(of_drums, window_s=None), {"Piano": eighths()}, "no drums"),
        (partial(of_drums, window_s=2.0), {"Drums": hits}, "window_s: null"),
    ):
        with pytest.raises(NotApplicableError, match=reason):
            extracted(tmp_path / "a.mid", extract, tracks)


@pytest.mark.parametrize("track", ["Drums", "Piano"])
def test_a_rating_is_in_the_context_of_the_first_bar(tmp_path: Path, track: str) -> None:
    entry, midi = read(write(tmp_path / "a.mid", {track: eighths()}))
    rows, _ = groove.extract_examples(replace(entry, valence=0.5, arousal=-0.25), midi, context="embedding")
    np.testing.assert_allclose(decode(rows["inputs"][0, 0])[:2], [0.5, -0.25], atol=1e-5)
    np.testing.assert_allclose(decode(rows["inputs"][1, 0])[0], 0.5, atol=1e-5)


def test_groove_is_that_of_the_drums_if_there_are_any(tmp_path: Path) -> None:
    late = [Note(i / 2 + 0.0625, 0.1, 38, 80) for i in range(16)]  # half of half a sixteenth
    rows = extracted(tmp_path / "a.mid", EXTRACT["groove"], {"Drums": late, "Piano": eighths()})
    np.testing.assert_allclose(rows["targets"][:, 0, 0:16:2], 0.5)
    np.testing.assert_allclose(rows["targets"][:, 0, 16::2], 0.0)
    assert rows["mask"][:, 0].tolist() == [[True, False] * 16] * 2
    piano = extracted(tmp_path / "a.mid", EXTRACT["groove"], {"Piano": eighths()})
    np.testing.assert_allclose(piano["targets"][:, 0, 0:16:2], 0.0)
    assert piano["targets"][:, 0, 16::2].any()


def test_the_first_half_of_the_context_can_be_the_previous_groove(tmp_path: Path) -> None:
    tracks = random_music(1)
    embedded, previous = (
        extracted(tmp_path / "a.mid", EXTRACT[name], tracks) for name in ("groove", "groove previous")
    )
    played = np.where(embedded["mask"], embedded["targets"], np.nan)[:, 0]
    np.testing.assert_allclose(previous["inputs"][:, 0, :BLOCK_SIZE], decayed_mean(played), atol=1e-6)
    np.testing.assert_array_equal(previous["inputs"][..., BLOCK_SIZE:], embedded["inputs"][..., BLOCK_SIZE:])
    for name in ("targets", "mask", "previous"):
        np.testing.assert_array_equal(previous[name], embedded[name])


@pytest.mark.parametrize(
    ("name", "notes", "reason"),
    [
        ("dynamics", [note._replace(velocity=64) for note in eighths()], "all velocities are 64"),
        ("groove", [note._replace(velocity=64) for note in eighths()], "on the grid with the same velocity"),
        ("melody", eighths()[:7], "7 pitched notes"),
        ("harmony", chord_bars()[:32], r"2 chord\(s\), expected at least 4"),
    ],
)
def test_a_file_that_is_not_applicable_is_rejected_with_the_reason(
    tmp_path: Path, name: str, notes: list[Note], reason: str
) -> None:
    path = tmp_path / "a.mid"
    with pytest.raises(NotApplicableError, match=reason) as error:
        extracted(path, EXTRACT[name], {"Piano": notes})
    assert str(error.value).startswith(f"{path}: ")


def test_a_rated_valence_is_in_every_row_and_a_rated_arousal_in_the_first(tmp_path: Path) -> None:
    entry, midi = read(write(tmp_path / "a.mid", random_music(2)))
    rated = replace(entry, valence=0.6, arousal=-0.5)
    frames = melody.extract_examples(rated, midi, num_frames=6)[0]["inputs"][0]
    known = decode(frames.astype(np.float64))
    np.testing.assert_allclose(known[:, 0], 0.6, atol=1e-5)
    np.testing.assert_allclose(known[:2, 1], -0.5, atol=1e-5)
    assert len(np.unique(known[:, 1].round(4))) > 2
    chords = harmony.extract_examples(rated, midi)[0]["inputs"][:, 0, :EMBEDDING_SIZE]
    np.testing.assert_allclose(decode(chords.astype(np.float64))[:, 0], 0.6, atol=1e-5)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40))
def test_limited_windows_are_spread_evenly_from_the_first_to_the_last(num_rows: int, most: int) -> None:
    rows = {"inputs": np.arange(num_rows), "targets": np.arange(num_rows) * 2}
    limited = limit_windows(rows, most)
    assert len(limited["inputs"]) == min(num_rows, most)
    np.testing.assert_array_equal(limited["targets"], 2 * limited["inputs"])
    steps = np.diff(limited["inputs"])
    assert (steps >= 1).all()
    assert np.ptp(steps) <= 1 if len(steps) else True
    assert limited["inputs"][0] == 0
    assert limited["inputs"][-1] == num_rows - 1 or most == 1
    assert limit_windows(rows, None) is rows


def test_a_piece_without_enough_notes_in_any_window_is_not_applicable(tmp_path: Path) -> None:
    sparse = [Note(4 * i, 1, SCALE[i % 8], 60 + i) for i in range(12)]
    path = write(tmp_path / "a.mid", {"Piano": sparse})
    with pytest.raises(NotApplicableError, match="no window with enough notes"):
        extract_midi(
            Entry("a.mid", path),
            extract=dynamics.extract_examples,
            max_windows_per_piece=None,
            augmentation=None,
            settings={"window_s": None},
        )
