"""The layout of an audio frame, EmotionRecognizer's input: 128 log-mel energies, each in -1..1.

`frame = clip(dB re full scale, -80, 0) / 40 + 1` at 44,100 Hz, FFT 2048, Hann window, 128 mel bands from 20 Hz to
20 kHz; no fitted statistics, so that a plugin can compute it alone.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

SAMPLE_RATE_HZ = 44_100
FFT_SIZE = 2048
NUM_BANDS = 128
MIN_FREQUENCY_HZ = 20.0
MAX_FREQUENCY_HZ = 20_000.0
MIN_LEVEL_DB = -80.0


def mel(frequency_hz: ArrayLike) -> NDArray[np.float64]:
    """Mel scale of a frequency: 2595·log10(1 + f/700) (O'Shaughnessy, Speech Communication, 1987, p. 150)."""
    return 2595.0 * np.log10(1.0 + np.asarray(frequency_hz, dtype=np.float64) / 700.0)


def band_position(frequency_hz: ArrayLike) -> NDArray[np.float64]:
    """Where a frequency falls among the bands: 0..NUM_BANDS, the centre of band b being b + 0.5."""
    low, high = mel(MIN_FREQUENCY_HZ), mel(MAX_FREQUENCY_HZ)
    return (mel(frequency_hz) - low) / (high - low) * NUM_BANDS


def level_to_frame(level_db: ArrayLike) -> NDArray[np.float64]:
    """Band levels in dB re full scale as frame values in -1..1 (−80 dB and less: −1; 0 dB and more: 1)."""
    return np.clip(np.asarray(level_db, dtype=np.float64), MIN_LEVEL_DB, 0.0) / 40.0 + 1.0
