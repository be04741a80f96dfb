"""Broken or unusable audio files are rejected with their name and the reason."""

import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from support import broken_files
from support.audio_files import FORMATS, encoded, music, tone, write
from support.broken_files import splice

from kelly.runtime.errors import KellyError
from kelly.sources.readers import audio
from kelly.sources.readers.audio import read_audio

rejection = partial(broken_files.rejection, read_audio)


def test_what_is_not_a_file_is_rejected(tmp_path: Path) -> None:
    assert "No such file or directory" in rejection(tmp_path / "a.wav")
    assert "a folder" in rejection(tmp_path)
    os.mkfifo(tmp_path / "pipe.wav")
    assert "a device or a pipe" in rejection(tmp_path / "pipe.wav")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty, expected WAV, FLAC, OGG or MP3"),
        (b"Lyrics of a song\n" * 500, "begins with b'Lyri'"),
        (b"FORM\0\0\0\x04AIFF", "begins with b'FORM'"),
        (bytes(5_000), "begins with b'\\x00\\x00\\x00\\x00'"),
        (b"\xff" * 5_000, "no MP3 frame"),
        (b"ID3\3\0\0\0\0\x10\0" + bytes(5_000), "no MP3 frame"),
        (b"ID3\3\0\0\0\0\0\0FORM\0\0\0\x04AIFF" + bytes(5_000), "damaged"),
        (b"RIFF\x10\0\0\0WAVE", "damaged"),
        (b"RIFF\x10\0\0\0WAVE" + bytes(20_000), "damaged"),
        (b"RIFF\x10\0\0\0WAVEfmt \0\0\0\0" + b"junk\0\0\0\0" * 1_000_000, "damaged"),
        (b"fLaC", "damaged"),
        (b"OggS" + bytes(100), "damaged"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_what_is_not_audio_is_rejected(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.mp3").write_bytes(content)
    assert message in rejection(tmp_path / "a.mp3")


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3"])
@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.97])
def test_a_truncated_file_is_rejected(tmp_path: Path, ending: str, fraction: float) -> None:
    path = write(tmp_path / f"a.{ending}", tone(3.0))
    path.write_bytes(path.read_bytes()[: round(fraction * path.stat().st_size)])
    message = rejection(path)
    assert "truncated" in message or "damaged" in message


def test_a_wav_that_is_shorter_than_its_header_announces_is_rejected(tmp_path: Path) -> None:
    path = splice(write(tmp_path / "a.wav", tone()), 40, 44, (2**31 - 1).to_bytes(4, "little"))
    assert "truncated: 44100 bytes of audio, expected 2147483647" in rejection(path)
    path = splice(write(path, tone()), 36, 10_036, b"LIST\5\0\0\0INFOx\0" + path.read_bytes()[36:44])
    assert "truncated" in rejection(path)


def test_a_flac_that_announces_hours_is_rejected_before_it_is_decoded(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", tone())
    splice(path, 21, 26, bytes([path.read_bytes()[21] | 15]) + b"\xff" * 4)
    assert "1558265 s long, expected at most 3600" in rejection(path)


@pytest.mark.parametrize(("ending", "num_samples"), [("wav", 0), ("wav", 1), ("wav", 2_047), ("flac", 1)])
def test_less_than_one_window_is_rejected(tmp_path: Path, ending: str, num_samples: int) -> None:
    path = write(tmp_path / f"a.{ending}", tone()[:num_samples])
    assert f"{num_samples} sample(s) at 44100 Hz, expected at least 2048" in rejection(path)
    assert len(read_audio(write(path, tone()[:2_048]))) == 2_048


def test_silence_is_80_db_below_full_scale_in_the_mean_of_the_channels(tmp_path: Path) -> None:
    for ending in FORMATS:
        assert "silent" in rejection(write(tmp_path / f"a.{ending}", 0 * tone()))
    assert "silent" in rejection(write(tmp_path / "a.wav", tone(amplitude=0.9e-4), subtype="PCM_24"))
    assert len(read_audio(write(tmp_path / "a.wav", tone(amplitude=1.2e-4), subtype="PCM_24"))) == len(tone())
    assert "silent" in rejection(write(tmp_path / "a.wav", np.stack([tone(), -tone()], axis=1)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_samples_that_are_not_finite_are_rejected(tmp_path: Path, value: float) -> None:
    samples = tone(8.0)
    samples[-5] = value
    assert "not finite" in rejection(write(tmp_path / "a.wav", samples, subtype="DOUBLE"))


@pytest.mark.parametrize("rate_hz", [1, 7_999, 384_001, 2**31 - 1])
def test_absurd_sample_rates_are_rejected(tmp_path: Path, rate_hz: int) -> None:
    path = splice(write(tmp_path / "a.wav", tone()), 24, 28, rate_hz.to_bytes(4, "little"))
    assert f"{rate_hz} samples per second, expected 8000 to 384000" in rejection(path)


def test_absurd_sizes_are_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.wav", tone(2.0))
    monkeypatch.setattr(audio, "MAX_SECONDS", 1.0)
    assert "2 s long, expected at most 1" in rejection(path)
    monkeypatch.setattr(audio, "MAX_BYTES", 100)
    assert "176444 bytes, expected at most 100" in rejection(path)


@pytest.mark.parametrize(("subtype", "gain"), [("PCM_U8", 1.0), ("PCM_16", 1.0), ("PCM_24", 1.0), ("FLOAT", 32_768.0)])
def test_audio_with_a_tenth_of_its_samples_clipped_is_rejected(tmp_path: Path, subtype: str, gain: float) -> None:
    message = rejection(write(tmp_path / "a.wav", gain * music(2.0, rms_db=0.0), subtype=subtype))
    assert "clipped" in message
    assert "at most 10%" in message


def test_runs_of_three_equal_samples_at_full_scale_in_any_channel_count_as_clipped() -> None:
    left = [1.0, 1.0, 1.0, 1.0, 0.5, 1.0, 1.0, -1.0, 0.2, 0.2, 0.2, -1.0, -1.0, -1.0]
    right = [0.995, 0.996, 0.995, 0.996] + [0.5] * 10
    assert audio._count_clipped(np.array([left, right], dtype=np.float32).T) == 7
    assert audio._count_clipped(np.ones((2, 1), dtype=np.float32)) == 0


def test_the_warnings_of_the_decoder_are_not_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(encoded("mp3")[:1_500])
    soundfile.SoundFile(path).close()
    assert "warning" in capfd.readouterr().err.lower()  # of libmpg123
    rejection(path)
    os.write(2, b"still open")
    assert capfd.readouterr() == ("", "still open")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audio")


Edit = tuple[float, int, bytes]  # position as a fraction of the file or its header; bytes to remove; bytes to insert


@pytest.mark.parametrize("ending", FORMATS)
@given(edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 64), st.binary(max_size=8)), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_damaged_files_are_valid_or_rejected(folder: Path, ending: str, edits: list[Edit]) -> None:
    data = bytearray(encoded(ending))
    for i, (fraction, num_removed, inserted) in enumerate(edits):
        start = int(fraction * (len(data) if i % 2 else 200))
        data[start : start + num_removed] = inserted
    (folder / "a.mp3").write_bytes(data)
    try:
        samples = read_audio(folder / "a.mp3")
    except KellyError:
        return
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1.0
