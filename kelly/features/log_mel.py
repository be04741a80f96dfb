"""The audio frame, EmotionRecognizer's input: 128 log-mel energies, each in -1..1.

`frame = clip(dB re full scale, -80, 0) / 40 + 1` at 44,100 Hz, FFT 2048, Hann window, 128 mel bands from 20 Hz to
20 kHz. No fitted statistics: a plugin can compute it from samples alone. 0 dB is a full-scale sine at the centre of a
band. docs/contract.md specifies the formulas; this module is the reference implementation.
"""

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

SAMPLE_RATE_HZ = 44_100
FFT_SIZE = 2048
NUM_BANDS = 128
MIN_FREQUENCY_HZ = 20.0
MAX_FREQUENCY_HZ = 20_000.0
MIN_LEVEL_DB = -80.0

# Periodic Hann window; its sum is FFT_SIZE / 2.
HANN: NDArray[np.float64] = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(FFT_SIZE) / FFT_SIZE)

BLOCK_FRAMES = 256  # transformed at once: 4 MB of windows, however long the audio


def mel(frequency_hz: ArrayLike) -> NDArray[np.float64]:
    """Mel scale of a frequency: 2595·log10(1 + f/700) (O'Shaughnessy, Speech Communication, 1987, p. 150)."""
    return 2595.0 * np.log10(1.0 + np.asarray(frequency_hz, dtype=np.float64) / 700.0)


def band_position(frequency_hz: ArrayLike) -> NDArray[np.float64]:
    """Position of a frequency on the scale of the bands, 0..NUM_BANDS; the centre of band b is b + 0.5."""
    low, high = mel(MIN_FREQUENCY_HZ), mel(MAX_FREQUENCY_HZ)
    return (mel(frequency_hz) - low) / (high - low) * NUM_BANDS


def level_to_frame(level_db: ArrayLike) -> NDArray[np.float64]:
    """Map band levels in dB re full scale to frame values in -1..1 (−80 dB and less: −1; 0 dB and more: 1)."""
    return np.clip(np.asarray(level_db, dtype=np.float64), MIN_LEVEL_DB, 0.0) / 40.0 + 1.0


@cache
def mel_filters() -> NDArray[np.float64]:
    """Weights float64[NUM_BANDS, FFT_SIZE / 2 + 1] from |FFT of the windowed samples|² to the power of each band.

    A band is a triangle over `band_position`: 1 at its centre, 0 at the centres of its two neighbours. It is scaled so
    that a sine of amplitude 1 at its centre has power 1, however the window spreads it over the FFT's bins. The lowest
    band spans 38 Hz or 1.8 bins, so no band is empty.
    """
    bins_hz = np.arange(FFT_SIZE // 2 + 1) * SAMPLE_RATE_HZ / FFT_SIZE
    centres = np.arange(NUM_BANDS) + 0.5
    triangles = np.clip(1.0 - np.abs(band_position(bins_hz) - centres[:, None]), 0.0, None)
    low, high = mel(MIN_FREQUENCY_HZ), mel(MAX_FREQUENCY_HZ)
    centres_hz = 700.0 * (10.0 ** ((low + centres / NUM_BANDS * (high - low)) / 2595.0) - 1.0)
    # The bins below half the rate hold e^{iωt} / 2 of a sine. Without its mirror image the phase has no influence.
    rotation = np.exp(2j * np.pi * centres_hz[:, None] * np.arange(FFT_SIZE) / SAMPLE_RATE_HZ) / 2.0
    spread = np.abs(np.fft.fft(rotation * HANN)[:, : len(bins_hz)]) ** 2
    weights: NDArray[np.float64] = triangles / (triangles * spread).sum(axis=1, keepdims=True)
    return weights


def log_mel_frames(samples: NDArray[np.floating], hop_length: int) -> NDArray[np.float32]:
    """Compute audio frames float32[num_frames, NUM_BANDS], each in -1..1.

    samples: mono, float[n] in -1..1 at SAMPLE_RATE_HZ. Frame t covers samples[t · hop_length : t · hop_length +
    FFT_SIZE]; partial windows are dropped, so num_frames is 1 + (n − FFT_SIZE) // hop_length.
    Raises ValueError if samples are shorter than FFT_SIZE or hop_length is below 1.
    """
    if samples.ndim != 1 or len(samples) < FFT_SIZE or hop_length < 1:
        raise ValueError(
            f"samples have shape {samples.shape} and hop_length is {hop_length}, expected (n,) of at least {FFT_SIZE} "
            "samples and at least 1"
        )
    windows = np.lib.stride_tricks.sliding_window_view(samples, FFT_SIZE)[::hop_length]
    frames = np.empty((len(windows), NUM_BANDS), dtype=np.float32)
    for start in range(0, len(windows), BLOCK_FRAMES):
        block = windows[start : start + BLOCK_FRAMES]
        power = np.abs(np.fft.rfft(block * HANN)) ** 2 @ mel_filters().T
        level_db = 10.0 * np.log10(np.maximum(power, 10.0 ** (MIN_LEVEL_DB / 10.0)))
        frames[start : start + BLOCK_FRAMES] = level_to_frame(level_db)
    return frames
