"""Variations of a performance: louder or softer, faster or slower, with targets extracted from each."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.played import eighths, random_music, read, write

from kelly.features.emotion import COORDINATES, decode
from kelly.sources.examples import groove
from kelly.sources.extraction.augmentation import variations
from kelly.sources.extraction.file_examples import extract_midi
from kelly.sources.extraction.sequences import Examples
from kelly.sources.layouts.manifest import Entry
from kelly.sources.readers.midi import Midi


def varied(midi: Midi, name: str = "a.mid", copies: int = 3, velocity: float = 0.2, tempo: float = 0.1) -> list[Midi]:
    return list(variations(midi, name, copies, velocity, tempo))


def test_variations_depend_on_the_name_only(tmp_path: Path) -> None:
    _, midi = read(write(tmp_path / "a.mid", random_music(3)))
    first, again, other = varied(midi), varied(midi), varied(midi, "b.mid")
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.notes.velocity, two.notes.velocity)
        np.testing.assert_array_equal(one.notes.onset_s, two.notes.onset_s)
    assert len({one.notes.onset_s.tobytes() for one in (*first, *other)}) == 6


def test_variations_are_within_their_limits_and_keep_the_score(tmp_path: Path) -> None:
    _, midi = read(write(tmp_path / "a.mid", random_music(3)))
    for one in varied(midi, copies=30):
        louder = one.notes.velocity / midi.notes.velocity
        assert (np.abs(one.notes.velocity - louder.mean() * midi.notes.velocity) <= 1.5).all()
        assert 0.78 <= louder.mean() <= 1.22
        assert one.notes.velocity.min() >= 1
        assert one.notes.velocity.max() <= 127
        faster = midi.notes.onset_s[1:] / one.notes.onset_s[1:]
        assert np.ptp(faster) < 1e-9
        assert 0.9 <= faster[0] <= 1.1
        np.testing.assert_allclose(one.bpm([0.0]) / midi.bpm([0.0]), faster[0], rtol=1e-5)
        np.testing.assert_allclose(one.seconds(one.notes.onset_quarters), one.notes.onset_s, atol=1e-3)
        for name in ("onset_quarters", "duration_quarters", "pitch", "is_drum", "track"):
            np.testing.assert_array_equal(getattr(one.notes, name), getattr(midi.notes, name))


def test_no_accent_is_clipped_at_the_loudest_velocity(tmp_path: Path) -> None:
    loud = [note._replace(velocity=100 + 27 * (i % 4 == 0)) for i, note in enumerate(eighths())]
    _, midi = read(write(tmp_path / "a.mid", {"Piano": loud}))
    for one in varied(midi, copies=30, velocity=0.9):
        ratio = one.notes.velocity[0] / one.notes.velocity[1]
        assert ratio == pytest.approx(1.27, abs=0.01 + 1.27 / one.notes.velocity[1])


@pytest.mark.parametrize("context", ["embedding", "previous"])
def test_a_variation_has_the_same_groove_up_to_the_rounding_of_velocities(
    tmp_path: Path, context: groove.Context
) -> None:
    tracks = random_music(4)
    entry, midi = read(write(tmp_path / "a.mid", tracks))
    extract: Callable[..., tuple[Examples, str]] = partial(groove.extract_examples, context=context)
    plain, _ = extract(entry, midi)
    for one in varied(midi, copies=10):
        rows, _ = extract(entry, one)
        timing, accents = np.split(rows["targets"][:, 0], 2, axis=1)
        plain_timing, plain_accents = np.split(plain["targets"][:, 0], 2, axis=1)
        np.testing.assert_array_equal(timing, plain_timing)
        np.testing.assert_array_equal(rows["mask"], plain["mask"])
        # Velocity and its mean are each rounded by up to a half: (a + 1/2) / (m − 1/2) is the maximum.
        softest_mean = 30 * 0.8
        bound = 0.5 * (2 + plain_accents) / (softest_mean - 0.5)
        assert (np.abs(accents - plain_accents) <= bound + 1e-6).all()
        assert not np.array_equal(rows["inputs"], plain["inputs"])


def test_the_context_of_a_variation_follows_its_loudness_and_tempo(tmp_path: Path) -> None:
    entry, midi = read(write(tmp_path / "a.mid", random_music(5)))

    def context(played: Midi) -> NDArray[np.float64]:
        rows, _ = groove.extract_examples(entry, played, context="embedding")
        return decode(rows["inputs"][:, 0].astype(np.float64))

    loudness, arousal = COORDINATES.index("loudness"), COORDINATES.index("arousal")
    plain = context(midi)
    drums = midi.notes.velocity[midi.notes.is_drum]
    for one in varied(midi, copies=10):
        varied_context = context(one)
        louder = one.notes.velocity[midi.notes.is_drum].mean() > drums.mean()
        faster = one.notes.onset_s[-1] < midi.notes.onset_s[-1]
        assert ((varied_context[1:, loudness] > plain[1:, loudness]) == louder).all()
        assert ((varied_context[1:, arousal] > plain[1:, arousal]) == faster).all()


def test_the_examples_of_a_file_are_the_piece_and_its_variations(tmp_path: Path) -> None:
    entry = Entry("a.mid", write(tmp_path / "a.mid", random_music(7)))

    def examples(copies: int | None, max_windows: int | None = None) -> Examples:
        return extract_midi(
            entry,
            extract=groove.extract_examples,
            max_windows_per_piece=max_windows,
            augmentation=None if copies is None else {"copies": copies, "velocity": 0.2, "tempo": 0.1},
            settings={"context": "embedding"},
        ).examples

    plain, augmented, few = examples(None), examples(2), examples(2, max_windows=2)
    assert "augmented" not in plain
    assert "augmented" not in examples(0)
    assert augmented["augmented"].tolist() == [False] * 6 + [True] * 12
    for name, array in plain.items():
        np.testing.assert_array_equal(augmented[name][:6], array)
    assert few["augmented"].tolist() == [False] * 2 + [True] * 4
    np.testing.assert_array_equal(few["inputs"][:2], plain["inputs"][[0, 5]])
