"""Inputs do not depend on the bar that they predict: changes from a bar on leave the inputs up to it as they are."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from support.played import EXTRACT, SCALE, Note, extracted, random_music, read, write

from kelly.features.emotion import EMBEDDING_SIZE
from kelly.sources.examples import dynamics
from kelly.sources.extraction.sequences import Examples
from kelly.sources.music.chords import derive_chords
from kelly.sources.music.metre import beat_edges
from kelly.sources.music.piece import read_music

NUM_BARS = 6


def changed_from(tracks: dict[str, list[Note]], bar: int) -> dict[str, list[Note]]:
    """The piece with all bars from `bar` on reversed in time and in loudness; its key stays the same."""
    start, end = 4.0 * bar, 4.0 * NUM_BARS

    def changed(note: Note) -> Note:
        return note._replace(onset=start + end - note.onset - note.length, velocity=140 - note.velocity)

    return {name: [note if note.onset < start else changed(note) for note in notes] for name, notes in tracks.items()}


def assert_same_up_to(row: int, before: Examples, after: Examples) -> None:
    """Inputs are equal up to `row`, targets before it; later ones differ."""
    for name, stop in (("inputs", row + 1), ("targets", row)):
        np.testing.assert_array_equal(before[name][:stop], after[name][:stop])
        assert not np.array_equal(before[name][stop:], after[name][stop:])


@pytest.mark.parametrize("bar", [1, 2, 4])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["melody", "dynamics", "groove", "groove previous"])
def test_inputs_do_not_depend_on_their_own_bar(tmp_path: Path, name: str, seed: int, bar: int) -> None:
    tracks = random_music(seed, NUM_BARS)
    rows = [extracted(tmp_path / "a.mid", EXTRACT[name], t) for t in (tracks, changed_from(tracks, bar))]
    if name == "melody":  # one sequence, a frame per bar
        rows = [{key: array[0, :NUM_BARS] for key, array in one.items()} for one in rows]
    assert_same_up_to(bar, *rows)


@pytest.mark.parametrize("bar", [1, 2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_the_inputs_of_a_chord_do_not_depend_on_its_own_bar(tmp_path: Path, seed: int, bar: int) -> None:
    tracks = random_music(seed, NUM_BARS)
    music = read_music(*read(write(tmp_path / "a.mid", tracks)))
    moments, _ = derive_chords(music.score, beat_edges(music.bars), tonic=0)
    row = int(np.searchsorted(moments, 4.0 * bar))  # of the first chord in the bar
    before, after = (extracted(tmp_path / "a.mid", EXTRACT["harmony"], t) for t in (tracks, changed_from(tracks, bar)))
    np.testing.assert_array_equal(before["targets"][:row], after["targets"][:row])
    np.testing.assert_array_equal(before["inputs"][: row + 1], after["inputs"][: row + 1])
    assert before["inputs"][row, 0, :EMBEDDING_SIZE].any()
    assert not np.array_equal(before["inputs"][row:], after["inputs"][row:])


@pytest.mark.parametrize("window_s", [0.7, 1.5, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_inputs_do_not_depend_on_their_own_window_of_seconds(tmp_path: Path, seed: int, window_s: float) -> None:
    tracks = random_music(seed, NUM_BARS)
    tracks["Melody"][0] = tracks["Melody"][0]._replace(onset=0.0)  # the first window begins at 0 s
    extract, bar = partial(dynamics.extract_examples, window_s=window_s), 3
    before, after = (extracted(tmp_path / "a.mid", extract, t) for t in (tracks, changed_from(tracks, bar)))
    row = int(2.0 * bar // window_s)  # the window in which the change begins: two seconds per bar
    assert len(before["inputs"]) > row
    assert_same_up_to(row, before, after)


@pytest.mark.parametrize("name", ["melody", "dynamics"])
def test_a_note_played_a_little_early_is_not_in_the_context_of_its_bar(tmp_path: Path, name: str) -> None:
    inputs = []
    for velocity, pitch in ((40, 60), (120, 84)):
        notes = [Note(i / 2, 0.4, SCALE[i % 8], 60 + i % 3) for i in range(32)]
        notes[8] = Note(3.9, 0.5, pitch, velocity)  # the first of the second bar, a tenth of a quarter early
        rows = extracted(tmp_path / f"{pitch}.mid", EXTRACT[name], {"Piano": notes})
        inputs.append(rows["inputs"].reshape(-1, rows["inputs"].shape[-1])[:2])
    np.testing.assert_array_equal(inputs[0], inputs[1])
