"""Data of music21's scores: music as the networks see it, groups of the same melody, and arrays."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kelly.features.emotion import COORDINATES, EMBEDDING_SIZE, decode
from kelly.features.vocabulary import CHORDS
from kelly.runtime.errors import KellyError
from kelly.sources import corpus
from kelly.sources.layouts.manifest import Entry
from kelly.sources.music.context import context_coordinates
from kelly.sources.music.metre import beat_edges
from kelly.sources.music.piece import MEDIAN_PITCH, Music, sounding_pitches
from kelly.sources.readers import scores
from kelly.sources.readers.midi import Notes

ENTRY = Entry("fake", Path("fake"))


def bars_of(*bars: Sequence[float]) -> scores.Piece:
    """A piece in 4/4 of the pitches in each bar, evenly spread."""
    notes = [
        (4 * bar + 4 * i / len(pitches), 4 * bar + 4 * (i + 1) / len(pitches), pitch)
        for bar, pitches in enumerate(bars)
        for i, pitch in enumerate(pitches)
    ]
    edges = np.arange(len(bars) + 1, dtype=np.float64) * 4
    return scores.Piece("fake", "bach", np.array(notes, dtype=float), np.zeros((0, 3)), edges, beat=1.0)


def music_of(piece: scores.Piece) -> Music:
    return corpus.music_of(ENTRY, piece)


def chorale(name: str) -> scores.Piece:
    return scores.read_chorale(name, "bach", str(scores.FOLDER / "bach" / f"{name}.mxl"))


def test_a_minor_piece_is_transposed_to_c_minor_near_the_median_pitch() -> None:
    music = music_of(bars_of([93, 95, 96, 98], [100, 101, 100, 92], [93, 96, 100, 93]))
    assert (music.key.tonic, music.key.mode) == (9, "minor")
    for pitch in (music.notes.pitch, music.score[:, 2]):
        assert pitch[0] % 12 == 0
        assert abs(np.median(pitch) - MEDIAN_PITCH) <= 6


def test_targets_are_the_pitches_that_sound_in_a_bar_even_if_they_began_before() -> None:
    piece = replace(bars_of([60, 62], [64]), melody=np.array([[0, 2, 60], [2, 6, 62], [6, 8, 64]], dtype=float))
    music = music_of(piece)
    shift = int(music.score[0, 2]) - 60
    pitches = [(np.flatnonzero(bar) - shift).tolist() for bar in sounding_pitches(music)]
    assert pitches == [[60, 62], [62, 64]]


def test_a_score_has_no_velocities_no_groove_and_no_silent_bars_at_its_ends() -> None:
    piece = bars_of([60, 62], [64, 67], [60])
    longer = replace(piece, bars=4.0 * np.arange(-2.0, 6.0))
    for music in (music_of(piece), music_of(longer)):
        assert music.bars.tolist() == [0.0, 4.0, 8.0, 12.0]
        assert len(music.bpm) == len(music.groove) == music.num_bars == 3
        assert not music.notes.velocity.any()
        assert np.isnan(music.groove).all()


def changed(music: Music, bar: int) -> Music:
    """The piece with one other note instead of all that sounds from a bar on."""
    start_s = music.bars_s[bar]
    before = music.notes.onset_s < start_s
    notes = music.notes.take(before)
    notes = replace(notes, duration_s=np.minimum(notes.duration_s, start_s - notes.onset_s))
    other = {"onset_s": start_s, "duration_s": music.bars_s[-1] - start_s, "pitch": 90}
    arrays = {name: np.append(array, np.array(other.get(name, 0), array.dtype)) for name, array in vars(notes).items()}
    return replace(music, notes=Notes(**arrays), is_melody=np.append(music.is_melody[before], True))


@pytest.mark.parametrize("bar", [1, 8])
def test_the_context_of_a_bar_does_not_include_it(bar: int) -> None:
    music = music_of(chorale("bwv1.6"))
    before, after = (context_coordinates(ENTRY, m) for m in (music, changed(music, bar)))
    np.testing.assert_array_equal(before[: bar + 1], after[: bar + 1])
    assert np.any(before[bar + 1] != after[bar + 1])


def test_the_context_follows_the_notes() -> None:
    music = music_of(bars_of(2 * [67], [79] * 16, [79]))
    context = context_coordinates(ENTRY, music)
    named = dict(zip(COORDINATES, context.T, strict=True))
    assert not context[0].any()
    shift = (music.score[0, 2] - 67) / 12
    assert named["register"].tolist() == pytest.approx([0.0, shift, 1 / 1.8 + shift])  # decayed mean of 0 and 1
    assert named["arousal"][2] > named["arousal"][1]
    assert not context[:, 4:].any()


def test_one_melody_in_another_key_rhythm_and_collection_is_one_group() -> None:
    walk, other = np.random.default_rng(3).integers(55, 80, size=(2, 3, 8))
    piece, different, repeated = bars_of(*walk), bars_of(*other), bars_of(*np.repeat(walk + 5, 2, axis=1))
    pieces = [replace(p, name=name) for p, name in ((different, "a"), (piece, "b"), (repeated, "c"))]
    assert corpus.same_melody_groups(pieces) == ["a", "b", "b"]


def test_bach_set_the_passion_chorale_many_times() -> None:
    names = ["bwv135.6", "bwv244.15", "bwv244.54", "bwv153.5", "bwv269"]
    assert corpus.same_melody_groups([chorale(name) for name in names]) == ["bwv135.6"] * 4 + ["bwv269"]


def test_beats_start_with_the_bar_and_a_pickup_ends_with_it() -> None:
    assert beat_edges(np.array([0.0, 0.5, 3.5])).tolist() == [0.0, 0.5, 1.5, 2.5, 3.5]


def test_melody_sequences_contain_one_piece_each_and_are_masked_past_its_end() -> None:
    dataset = corpus.melody(["bach", "airdsAirs"], num_frames=8, max_pieces=6, max_skipped_share=0.5, num_workers=1)
    rows, facts = dataset.sequences, dataset.facts
    assert rows.mask is not None
    assert rows.previous is not None
    assert rows.inputs.shape == (len(rows), 8, EMBEDDING_SIZE)
    assert rows.targets.shape == rows.mask.shape == rows.previous.shape == (len(rows), 8, 128)
    assert [array.dtype.name for array in (rows.inputs, rows.targets, rows.mask)] == ["float32", "float32", "bool"]
    assert facts["pieces_per_collection"] == {"bach": 6, "airdsAirs": 6}
    assert facts["frames"] == rows.mask[..., 0].sum()
    assert not rows.targets[~rows.mask].any()
    starts = np.flatnonzero(np.abs(decode(rows.inputs[:, 0])).max(axis=1) < 1e-5)  # no context yet
    assert len(starts) == facts["pieces"] == 12
    assert len(np.unique(rows.groups)) == facts["groups"]
    for row in range(len(rows)):
        first = np.full(128, np.nan) if row in starts else rows.targets[row - 1, -1]
        np.testing.assert_array_equal(rows.previous[row, 0], first)
        np.testing.assert_array_equal(
            rows.previous[row, 1:][rows.mask[row, 1:]], rows.targets[row, :-1][rows.mask[row, 1:]]
        )


def test_harmony_inputs_contain_the_chord_before_and_targets_never_repeat_it() -> None:
    dataset = corpus.harmony(["bach"], max_pieces=5, max_skipped_share=0.5, num_workers=1)
    rows = dataset.sequences
    assert rows.inputs.shape == (len(rows), 1, 128)
    assert rows.targets.shape == (len(rows), 1)
    assert [array.dtype.name for array in (rows.inputs, rows.targets)] == ["float32", "int64"]
    context: NDArray[np.float32] = rows.inputs[:, 0, EMBEDDING_SIZE:]
    follows = np.flatnonzero(context.any(axis=1))
    assert len(rows) - len(follows) == 5  # each piece begins without context
    np.testing.assert_allclose(decode(rows.inputs[~context.any(axis=1), 0, :EMBEDDING_SIZE]), 0, atol=1e-5)
    assert (rows.targets[follows, 0] != rows.targets[follows - 1, 0]).all()
    assert (context[follows, rows.targets[follows - 1, 0]] == 1).all()
    assert set(dataset.facts["most_common_chords"]) <= set(CHORDS)


def test_tunes_have_no_chords() -> None:
    with pytest.raises(KellyError, match=r"found \['airdsAirs'\]"):
        corpus.harmony(["bach", "airdsAirs"], None, 0.5)


def test_the_number_of_workers_changes_no_byte() -> None:
    one, two = (corpus.melody(["airdsAirs"], 8, 20, 0.5, num_workers=n).sequences for n in (1, 2))
    for name in ("inputs", "targets", "groups", "mask", "previous", "category"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()
