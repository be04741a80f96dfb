"""Rated audio of DEAM: data of folders with synthesised songs; unusable songs are skipped with the reason."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import soundfile
from support.fake_pieces import pieces_table
from support.published_layouts import dynamic_table, write_deam_dynamic, write_deam_static

from kelly.data.dataset import Dataset
from kelly.features.emotion import decode
from kelly.features.log_mel import SAMPLE_RATE_HZ, band_position
from kelly.runtime.errors import KellyError
from kelly.sources.examples.emotion import HOP_LENGTH
from kelly.sources.generate import generate
from kelly.sources.layouts.deam_ratings import DYNAMIC, DYNAMIC_NAMES, read_static
from kelly.tasks import TASKS


def write_song(path: Path, frequencies_hz: Sequence[float], silent_s: float = 15.0) -> Path:
    """Silence, then half a second of each frequency, up to the moment of its rating."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cycles = np.concatenate([np.full(HOP_LENGTH, hz) for hz in frequencies_hz]).cumsum() / SAMPLE_RATE_HZ
    start = np.zeros(round((silent_s - 0.5) * SAMPLE_RATE_HZ))
    soundfile.write(path, np.concatenate([start, 0.5 * np.sin(2 * np.pi * cycles)]), SAMPLE_RATE_HZ)
    return path


def write_folder(path: Path, lengths: Sequence[int] = (5, 3, 4, 4, 4), suffix: str = "flac") -> Path:
    """Songs 2, 3 … with `lengths` ratings, each as long as its ratings are."""
    ids = range(2, 2 + len(lengths))
    arousal = {str(i): [0.1 * k - 0.2 for k in range(n)] for i, n in zip(ids, lengths, strict=True)}
    valence = {str(i): [0.3 - 0.2 * k + 0.01 * i for k in range(n)] for i, n in zip(ids, lengths, strict=True)}
    for i, n in zip(ids, lengths, strict=True):
        write_song(path / f"MEMD_audio/{i}.{suffix}", [300.0 * (k + i) for k in range(n)])
    return write_deam_dynamic(path, dynamic_table(arousal), dynamic_table(valence))


def read(
    path: Path, max_skipped_share: float = 0.5, data: str = "data", kind: Literal["dynamic", "static"] = "dynamic"
) -> Dataset:
    """The data that a folder gives, written to its subfolder `data`."""
    settings = {"path": str(path), "ratings": kind, "num_frames": 4, "max_files": None}
    settings |= {"max_windows_per_piece": None, "max_skipped_share": max_skipped_share}
    return generate(TASKS["emotionrecognizer"], "deam", settings, path / data)


def songs_of(dataset: Dataset, path: Path) -> list[str]:
    """The song of each sequence."""
    pieces = [piece for piece in pieces_table(path / "data") for _ in range(int(piece["num_rows"]))]
    assert dataset.sequences.groups.tolist() == [piece["group"] for piece in pieces]
    return [Path(piece["file"]).stem for piece in pieces]


def num_frames(dataset: Dataset) -> int:
    assert dataset.sequences.mask is not None
    return int(dataset.sequences.mask[..., 0].sum())


@pytest.mark.parametrize("suffix", ["mp3", "flac", "ogg"])
def test_a_frame_ends_at_the_moment_of_its_rating(tmp_path: Path, suffix: str) -> None:
    data = read(write_folder(tmp_path, suffix=suffix))
    s = data.sequences
    assert (s.inputs.shape, s.targets.shape) == ((6, 4, 128), (6, 4, 64))
    assert s.inputs.dtype == s.targets.dtype == np.float32
    assert songs_of(data, tmp_path) == ["2", "2", "3", "4", "5", "6"]
    assert s.groups.tolist() == ["0", "0", "1", "2", "3", "4"]
    for row, song in ((0, 2), (2, 3), (3, 4)):
        bands = np.floor(band_position(300.0 * (np.arange(3) + song)))
        assert np.abs(s.inputs[row, :3].argmax(axis=1) - bands).max() <= 1
        emotion = decode(s.targets[row, :3])[:, :2]
        np.testing.assert_allclose(emotion[:, 0], 0.3 - 0.2 * np.arange(3) + 0.01 * song, atol=1e-5)
        np.testing.assert_allclose(emotion[:, 1], 0.1 * np.arange(3) - 0.2, atol=1e-5)


def test_past_its_end_a_song_is_padded_with_its_last_frame_and_masked(tmp_path: Path) -> None:
    data = read(write_folder(tmp_path))
    names = ("files", "pieces", "works", "sequences", "ratings_in_one_table_only", "skipped")
    assert [data.facts[name] for name in names] == [5, 5, 5, 6, 0, []]
    s = data.sequences
    assert s.mask is not None
    assert s.mask.all(axis=2).tolist() == [[True] * 4, [True] + [False] * 3, [True] * 3 + [False]] + [[True] * 4] * 3
    np.testing.assert_array_equal(s.inputs[1, 1:], s.inputs[1, [0, 0, 0]])
    assert (s.targets[~s.mask] == 0).all()


def test_songs_with_the_same_audio_are_one_piece_and_with_the_same_ratings_one_is_used(tmp_path: Path) -> None:
    path = write_folder(tmp_path)
    for name in DYNAMIC_NAMES:
        lines = (path / DYNAMIC / name).read_text().splitlines()
        again = "7," + lines[3].partition(",")[2]  # song 4
        (path / DYNAMIC / name).write_text("\n".join([*lines, again]))
    for copy in (6, 7):
        (path / f"MEMD_audio/{copy}.flac").write_bytes((path / "MEMD_audio/4.flac").read_bytes())
    data = read(path)
    assert data.facts["duplicates"] == [{"file": "MEMD_audio/7.flac", "same_as": "MEMD_audio/4.flac"}]
    assert songs_of(data, path) == ["2", "2", "3", "4", "5", "6"]
    assert data.sequences.groups.tolist() == ["0", "0", "1", "2", "3", "2"]
    assert data.facts["works"] == 4


def test_ratings_that_only_one_table_has_are_left_out_and_counted(tmp_path: Path) -> None:
    path = write_folder(tmp_path)
    text = (path / DYNAMIC / "valence.csv").read_text()
    (path / DYNAMIC / "valence.csv").write_text(text.replace(f",{0.3 - 0.2 * 2 + 0.01 * 3}", ","))
    data = read(path)
    assert data.facts["ratings_in_one_table_only"] == 1
    assert num_frames(data) == 19


def test_audio_that_ends_a_second_early_is_used_up_to_its_end(tmp_path: Path) -> None:
    path = write_folder(tmp_path)
    write_song(path / "MEMD_audio/2.flac", [300.0] * 3)
    assert num_frames(read(path)) == 18
    write_song(path / "MEMD_audio/2.flac", [300.0] * 2)
    (skipped,) = read(path).facts["skipped"]
    assert skipped["file"] == "MEMD_audio/2.flac"
    assert re.search(r"15\.5 s .*17\.0 s", skipped["reason"])


def test_unusable_audio_files_are_skipped_with_their_reasons(tmp_path: Path) -> None:
    path = write_folder(tmp_path, lengths=[3] * 8)
    sounds = path / "MEMD_audio"
    (sounds / "2.flac").unlink()
    (sounds / "3.flac").write_bytes(b"")
    (sounds / "4.flac").write_text("not found")
    write_song(sounds / "5.wav", [300.0] * 3)
    data = read(path)
    skipped = {s["file"].removeprefix("MEMD_audio/"): s["reason"] for s in data.facts["skipped"]}
    for name, reason in {"2": "no file", "3.flac": "empty", "4.flac": "b'not '", "5": "5.flac, 5.wav"}.items():
        assert reason in skipped[name]
    assert songs_of(data, path) == ["6", "7", "8", "9"]
    with pytest.raises(KellyError, match=r"4 of 8 files(.|\n)*2: found no file"):
        read(path, max_skipped_share=0.4)


def test_a_missing_folder_of_audio_is_an_error_with_the_setting_to_change(tmp_path: Path) -> None:
    path = write_deam_dynamic(tmp_path, dynamic_table({"2": [0.1]}), dynamic_table({"2": [0.1]}))
    with pytest.raises(KellyError, match=r"MEMD_audio: set data\.deam\.path.*No such file"):
        read(path)


def test_static_ratings_hold_for_all_of_the_audio(tmp_path: Path) -> None:
    rated = read_static(write_deam_static(tmp_path, (2, 3, 4)))
    (tmp_path / "MEMD_audio").mkdir()
    for i in (2, 3, 4):
        write_song(tmp_path / f"MEMD_audio/{i}.wav", [300.0 * (k + i) for k in range(4)])
    dataset = read(tmp_path, kind="static")
    mask = dataset.sequences.mask
    assert mask is not None
    assert mask[..., 0].sum() > 3 * 30  # from the first half second on, and not from 15 s on
    for row, song in enumerate(songs_of(dataset, tmp_path)):
        for target in dataset.sequences.targets[row][mask[row, :, 0]]:
            np.testing.assert_allclose(decode(target)[:2], rated[song], atol=1e-5)
