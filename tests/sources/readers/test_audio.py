"""Reading sound: what a file holds comes back, and any other file is refused with its name and the reason."""

import io
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kelly.features.log_mel import SAMPLE_RATE_HZ
from kelly.runtime.errors import KellyError
from kelly.sources.readers import audio
from kelly.sources.readers.audio import read_audio

FORMATS = ("wav", "flac", "mp3", "ogg")


def tone(seconds: float = 0.5, amplitude: float = 0.5, rate_hz: int = SAMPLE_RATE_HZ) -> NDArray[np.float64]:
    sound: NDArray[np.float64] = amplitude * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate_hz)) / rate_hz)
    return sound


def music(seconds: float, rms_db: float, seed: int = 0) -> NDArray[np.float64]:
    """Noise with the power of pink noise below 5 kHz, and the loudness given, before anything clips it."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(round(seconds * SAMPLE_RATE_HZ)))
    hz = np.fft.rfftfreq(round(seconds * SAMPLE_RATE_HZ), 1 / SAMPLE_RATE_HZ)
    sound = np.fft.irfft(spectrum / np.sqrt(hz + 20) * (hz < 5_000))
    scaled: NDArray[np.float64] = sound * 10 ** (rms_db / 20) / sound.std()
    return scaled


def write(path: Path, sound: NDArray[np.float64], rate_hz: int = SAMPLE_RATE_HZ, **more: Any) -> Path:
    soundfile.write(path, sound, rate_hz, **more)
    return path


@cache
def encoded(ending: str) -> bytes:
    """Two channels, a fifth of a second."""
    file = io.BytesIO()
    both = np.stack([tone(0.2), music(0.2, -20)], axis=1)
    soundfile.write(file, both, SAMPLE_RATE_HZ, format=ending.upper())
    return file.getvalue()


def refusal(path: Path) -> str:
    with pytest.raises(KellyError) as caught:
        read_audio(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_gives_the_samples_that_went_in(tmp_path: Path, ending: str) -> None:
    sound = tone()
    samples = read_audio(write(tmp_path / f"a.{ending}", sound))
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, sound, atol=1e-4 if ending in ("wav", "flac") else 0.03)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 48_000, 96_000, 384_000])
def test_other_rates_are_resampled(tmp_path: Path, rate_hz: int) -> None:
    samples = read_audio(write(tmp_path / "a.wav", tone(8.0, rate_hz=rate_hz), rate_hz))
    assert len(samples) == pytest.approx(8.0 * SAMPLE_RATE_HZ, abs=1)
    middle = slice(10_000, 300_000)  # several blocks long, and without the edges
    np.testing.assert_allclose(samples[middle], tone(8.0)[middle], atol=1e-3)


@pytest.mark.parametrize("num_channels", [1, 2, 7, 300])
def test_channels_are_averaged(tmp_path: Path, num_channels: int) -> None:
    sound = tone()[:, None] * np.linspace(0, 1, num_channels + 1)[1:]
    samples = read_audio(write(tmp_path / "a.wav", sound, subtype="FLOAT"))
    np.testing.assert_allclose(samples, sound.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "IMA_ADPCM"])
def test_a_wav_may_be_encoded_in_many_ways(tmp_path: Path, subtype: str) -> None:
    samples = read_audio(write(tmp_path / "a.wav", tone(), subtype=subtype))
    settled = slice(100, len(tone()))  # ADPCM adapts its steps first, and fills its last block
    np.testing.assert_allclose(samples[settled], tone()[settled], atol=0.03)


def test_the_ending_of_the_name_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(encoded("flac"))
    assert len(read_audio(tmp_path / "a.mp3")) == 8_820


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert "No such file or directory); put the file there" in refusal(tmp_path / "a.wav")
    assert "a folder, expected a file" in refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe.wav")
    assert "a device or a pipe, expected a file" in refusal(tmp_path / "pipe.wav")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty, expected WAV, FLAC, OGG or MP3"),
        (b"Lyrics of a song\n" * 500, "not a sound file: it begins with b'Lyri'"),
        (b"FORM\0\0\0\x04AIFF", "it begins with b'FORM', expected WAV"),
        (bytes(5_000), "it begins with b'\\x00\\x00\\x00\\x00'"),
        (b"\xff" * 5_000, "damaged, or no sound at all (no frame of an MP3 in it)"),
        (b"ID3\3\0\0\0\0\x10\0" + bytes(5_000), "no frame of an MP3 in it"),
        (b"ID3\3\0\0\0\0\0\0FORM\0\0\0\x04AIFF" + bytes(5_000), "damaged, or no sound at all"),
        (b"RIFF\x10\0\0\0WAVE", "damaged, or no sound at all"),
        (b"RIFF\x10\0\0\0WAVE" + bytes(20_000), "damaged, or no sound at all"),
        (b"fLaC", "damaged, or no sound at all"),
        (b"OggS" + bytes(100), "damaged, or no sound at all"),
    ],
)
def test_what_is_no_sound_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.mp3").write_bytes(content)
    assert message in refusal(tmp_path / "a.mp3")


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3"])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.97])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, ending: str, share: float) -> None:
    path = write(tmp_path / f"a.{ending}", tone(3.0))
    path.write_bytes(path.read_bytes()[: round(share * path.stat().st_size)])
    message = refusal(path)
    assert "cut short" in message or "damaged" in message


def test_a_wav_whose_header_announces_far_more_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone())
    data = path.read_bytes()
    path.write_bytes(data[:40] + (2**31 - 1).to_bytes(4, "little") + data[44:])
    assert "cut short: 44100 bytes of sound, expected the 2147483647 that its header announces" in refusal(path)


def test_a_wav_that_was_written_to_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone())
    data = path.read_bytes()
    path.write_bytes(data[:40] + b"\xff\xff\xff\xff" + data[44:])
    assert len(read_audio(path)) == len(tone())


def test_a_wav_may_hold_other_chunks_before_its_sound(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone())
    data = path.read_bytes()
    path.write_bytes(data[:36] + b"LIST\5\0\0\0INFOx\0" + data[36:])
    assert len(read_audio(path)) == len(tone())
    path.write_bytes(path.read_bytes()[:-10_000])
    assert "cut short" in refusal(path)
    path.write_bytes(data[:36] + b"junk\0\0\0\0" * 1_000_000)
    assert "damaged, or no sound at all" in refusal(path)


def test_a_flac_that_announces_hours_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", tone())
    data = bytearray(path.read_bytes())
    data[21:26] = bytes([data[21] | 15]) + b"\xff" * 4
    path.write_bytes(data)
    assert "1558265 s long, expected at most 3600" in refusal(path)


def test_an_mp3_may_wear_tags(tmp_path: Path) -> None:
    picture = bytes(1_000_000)
    size = bytes(len(picture) >> shift & 127 for shift in (21, 14, 7, 0))
    (tmp_path / "a.mp3").write_bytes(b"ID3\3\0\0" + size + picture + encoded("mp3"))
    tagged = read_audio(tmp_path / "a.mp3")
    (tmp_path / "a.mp3").write_bytes(encoded("mp3") + b"TAG" + bytes(125))
    np.testing.assert_array_equal(read_audio(tmp_path / "a.mp3"), tagged)


@pytest.mark.parametrize(("ending", "num_samples"), [("wav", 0), ("wav", 1), ("wav", 2_047), ("flac", 1)])
def test_less_than_a_window_is_refused(tmp_path: Path, ending: str, num_samples: int) -> None:
    path = write(tmp_path / f"a.{ending}", tone()[:num_samples])
    assert f"{num_samples} sample(s) at 44100 Hz, expected at least 2048" in refusal(path)
    assert len(read_audio(write(path, tone()[:2_048]))) == 2_048


@pytest.mark.parametrize("ending", FORMATS)
def test_silence_is_refused(tmp_path: Path, ending: str) -> None:
    assert "silence, expected a sample above -80 dBFS" in refusal(write(tmp_path / f"a.{ending}", 0 * tone()))


def test_the_threshold_of_silence_is_80_db_below_full_scale_of_the_mix(tmp_path: Path) -> None:
    assert "silence" in refusal(write(tmp_path / "a.wav", tone(amplitude=0.9e-4), subtype="PCM_24"))
    assert len(read_audio(write(tmp_path / "a.wav", tone(amplitude=1.2e-4), subtype="PCM_24"))) == len(tone())
    assert "silence" in refusal(write(tmp_path / "a.wav", np.stack([tone(), -tone()], axis=1)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_samples_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    sound = tone(8.0)
    sound[-5] = value
    assert "samples that are not finite" in refusal(write(tmp_path / "a.wav", sound, subtype="DOUBLE"))


@pytest.mark.parametrize("rate_hz", [1, 7_999, 384_001, 2**31 - 1])
def test_absurd_sample_rates_are_refused(tmp_path: Path, rate_hz: int) -> None:
    path = write(tmp_path / "a.wav", tone())
    data = path.read_bytes()
    path.write_bytes(data[:24] + rate_hz.to_bytes(4, "little") + data[28:])
    assert f"{rate_hz} samples a second, expected 8000 to 384000" in refusal(path)


def test_absurd_sizes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.wav", tone(2.0))
    monkeypatch.setattr(audio, "MAX_SECONDS", 1.0)
    assert "2 s long, expected at most 1" in refusal(path)
    monkeypatch.setattr(audio, "MAX_BYTES", 100)
    assert "176444 bytes, expected at most 100" in refusal(path)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_loud_master_is_read_and_limited_to_full_scale(tmp_path: Path, ending: str) -> None:
    master = music(2.0, rms_db=-7.0).clip(-1, 1)
    assert np.abs(master).max() == 1.0
    samples = read_audio(write(tmp_path / f"a.{ending}", master))
    assert 0.99 < np.abs(samples).max() <= 1.0
    if ending in ("mp3", "ogg"):
        assert np.abs(soundfile.read(tmp_path / f"a.{ending}")[0]).max() > 1.05


@pytest.mark.parametrize(("subtype", "gain"), [("PCM_U8", 1.0), ("PCM_16", 1.0), ("PCM_24", 1.0), ("FLOAT", 32_768.0)])
def test_what_is_clipped_in_every_tenth_sample_is_refused(tmp_path: Path, subtype: str, gain: float) -> None:
    path = write(tmp_path / "a.wav", gain * music(2.0, rms_db=0.0), subtype=subtype)
    assert "of its samples lie in runs of 3 or more at full scale, expected at most 10%" in refusal(path)


def test_clipped_are_runs_of_three_equal_samples_at_full_scale_in_any_channel() -> None:
    left = [1.0, 1.0, 1.0, 1.0, 0.5, 1.0, 1.0, -1.0, 0.2, 0.2, 0.2, -1.0, -1.0, -1.0]
    right = [0.995, 0.996, 0.995, 0.996] + [0.5] * 10
    assert audio._count_clipped(np.array([left, right], dtype=np.float32).T) == 7
    assert audio._count_clipped(np.ones((2, 1), dtype=np.float32)) == 0


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(encoded("mp3")[:1_500])
    soundfile.SoundFile(path).close()
    assert "warning" in capfd.readouterr().err.lower()  # libmpg123 prints this unasked
    refusal(path)
    os.write(2, b"heard")
    assert capfd.readouterr() == ("", "heard")


def accepted_or_refused(folder: Path, content: bytes) -> None:
    """Nothing but finite samples in -1..1 or a KellyError may come out."""
    path = folder / "a.mp3"
    path.write_bytes(content)
    try:
        samples = read_audio(path)
    except KellyError:
        return
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audio")


@given(st.sampled_from([b"", *audio.SIGNATURES, b"RIFF\xff\xff\xff\xffWAVEfmt "]), st.binary(max_size=3_000))
@settings(max_examples=300, deadline=None)
def test_no_string_of_bytes_breaks_the_reader(folder: Path, head: bytes, rest: bytes) -> None:
    accepted_or_refused(folder, head + rest)


Edit = tuple[float, int, bytes]  # where, as a share of the file or of its header; bytes to remove; bytes to put there


@pytest.mark.parametrize("ending", FORMATS)
@given(edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 64), st.binary(max_size=8)), min_size=1, max_size=5))
@settings(max_examples=200, deadline=None)
def test_no_damage_to_a_file_breaks_the_reader(folder: Path, ending: str, edits: list[Edit]) -> None:
    data = bytearray(encoded(ending))
    for i, (share, removed, put) in enumerate(edits):
        at = int(share * (len(data) if i % 2 else 200))
        data[at : at + removed] = put
    accepted_or_refused(folder, bytes(data))
