"""Audio files of all formats, rates and encodings are read as the samples that were written."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.audio_files import FORMATS, encoded, music, tone, write
from support.broken_files import splice

from kelly.features.log_mel import SAMPLE_RATE_HZ
from kelly.sources.readers.audio import read_audio


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_is_read_as_the_samples_written(tmp_path: Path, ending: str) -> None:
    samples = read_audio(write(tmp_path / f"a.{ending}", tone()))
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, tone(), atol=1e-4 if ending in ("wav", "flac") else 0.03)


@pytest.mark.parametrize("rate_hz", [8_000, 48_000, 384_000])
def test_other_rates_are_resampled(tmp_path: Path, rate_hz: int) -> None:
    samples = read_audio(write(tmp_path / "a.wav", tone(8.0, rate_hz=rate_hz), rate_hz))
    assert len(samples) == pytest.approx(8.0 * SAMPLE_RATE_HZ, abs=1)
    middle = slice(10_000, 300_000)  # several blocks, without the edges
    np.testing.assert_allclose(samples[middle], tone(8.0)[middle], atol=1e-3)


@pytest.mark.parametrize("num_channels", [1, 2, 7, 300])
def test_channels_are_averaged(tmp_path: Path, num_channels: int) -> None:
    channels = tone()[:, None] * np.linspace(0, 1, num_channels + 1)[1:]
    samples = read_audio(write(tmp_path / "a.wav", channels, subtype="FLOAT"))
    np.testing.assert_allclose(samples, channels.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "IMA_ADPCM"])
def test_every_encoding_of_a_wav_is_read(tmp_path: Path, subtype: str) -> None:
    samples = read_audio(write(tmp_path / "a.wav", tone(), subtype=subtype))
    settled = slice(100, len(tone()))  # ADPCM first adapts its steps, and pads its last block
    np.testing.assert_allclose(samples[settled], tone()[settled], atol=0.03)


def test_the_file_name_extension_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(encoded("flac"))
    assert len(read_audio(tmp_path / "a.mp3")) == 8_820


@pytest.mark.parametrize(
    ("start", "stop", "inserted"),
    [(40, 44, b"\xff\xff\xff\xff"), (36, 36, b"LIST\5\0\0\0INFOx\0")],
    ids=["written to a pipe", "another chunk before its samples"],
)
def test_a_wav_with_an_unusual_header_is_read_to_its_end(
    tmp_path: Path, start: int, stop: int, inserted: bytes
) -> None:
    path = splice(write(tmp_path / "a.wav", tone()), start, stop, inserted)
    assert len(read_audio(path)) == len(tone())


def test_an_mp3_can_have_tags(tmp_path: Path) -> None:
    cover = bytes(1_000_000)
    size = bytes(len(cover) >> shift & 127 for shift in (21, 14, 7, 0))
    (tmp_path / "a.mp3").write_bytes(b"ID3\3\0\0" + size + cover + encoded("mp3"))
    tagged = read_audio(tmp_path / "a.mp3")
    (tmp_path / "a.mp3").write_bytes(encoded("mp3") + b"TAG" + bytes(125))
    np.testing.assert_array_equal(read_audio(tmp_path / "a.mp3"), tagged)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_loud_master_is_read_and_limited_to_full_scale(tmp_path: Path, ending: str) -> None:
    master = music(2.0, rms_db=-7.0).clip(-1, 1)
    assert np.abs(master).max() == 1.0
    samples = read_audio(write(tmp_path / f"a.{ending}", master))
    assert 0.99 < np.abs(samples).max() <= 1.0
    if ending in ("mp3", "ogg"):
        assert np.abs(soundfile.read(tmp_path / f"a.{ending}")[0]).max() > 1.05
