"""Small audio files: tones, music-like noise, and encoded files of every format."""

import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from kelly.features.log_mel import SAMPLE_RATE_HZ

FORMATS = ("wav", "flac", "mp3", "ogg")


def tone(seconds: float = 0.5, amplitude: float = 0.5, rate_hz: int = SAMPLE_RATE_HZ) -> NDArray[np.float64]:
    samples: NDArray[np.float64] = amplitude * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate_hz)) / rate_hz)
    return samples


def music(seconds: float, rms_db: float, seed: int = 0) -> NDArray[np.float64]:
    """Noise with the power of pink noise below 5 kHz, scaled to an RMS level before any clipping."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(round(seconds * SAMPLE_RATE_HZ)))
    hz = np.fft.rfftfreq(round(seconds * SAMPLE_RATE_HZ), 1 / SAMPLE_RATE_HZ)
    samples = np.fft.irfft(spectrum / np.sqrt(hz + 20) * (hz < 5_000))
    scaled: NDArray[np.float64] = samples * 10 ** (rms_db / 20) / samples.std()
    return scaled


def write(path: Path, samples: NDArray[np.float64], rate_hz: int = SAMPLE_RATE_HZ, **options: Any) -> Path:
    soundfile.write(path, samples, rate_hz, **options)
    return path


@cache
def encoded(ending: str) -> bytes:
    """A file with two channels of a fifth of a second."""
    file = io.BytesIO()
    stereo = np.stack([tone(0.2), music(0.2, -20)], axis=1)
    soundfile.write(file, stereo, SAMPLE_RATE_HZ, format=ending.upper())
    return file.getvalue()
