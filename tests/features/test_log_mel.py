"""The audio frame of sounds with an obvious result, and the layouts in the metadata."""

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from kelly.export.contract import CONTRACTS
from kelly.features import log_mel
from kelly.features.log_mel import FFT_SIZE, NUM_BANDS, SAMPLE_RATE_HZ, band_position, log_mel_frames, mel_filters
from kelly.tasks import TASKS, Task

CENTRES_HZ = np.interp(np.arange(NUM_BANDS) + 0.5, band_position(np.arange(20, 20_001)), np.arange(20, 20_001))


def sine(frequency_hz: float, amplitude: float = 1.0, phase: float = 0.0, num: int = FFT_SIZE) -> NDArray[np.float64]:
    cycles = frequency_hz * np.arange(num) / SAMPLE_RATE_HZ
    sound: NDArray[np.float64] = amplitude * np.sin(2 * np.pi * cycles + phase)
    return sound


def frame(sound: NDArray[np.float64]) -> NDArray[np.float32]:
    read: NDArray[np.float32] = log_mel_frames(sound, 1)[0]
    return read


def test_levels_bands_and_the_mel_scale_follow_their_definitions() -> None:
    np.testing.assert_array_equal(log_mel.level_to_frame([-100, -80, -40, 0, 6]), [-1, -1, 0, 1, 1])
    np.testing.assert_allclose(log_mel.band_position([20, 20_000]), [0, 128])
    assert log_mel.mel(1_000) == pytest.approx(1_000, abs=0.1)


@pytest.mark.parametrize("phase", [0.0, 0.7, 1.6])
def test_a_full_scale_sine_in_the_centre_of_any_band_is_1_there_and_nowhere_higher(phase: float) -> None:
    for band, hz in enumerate(CENTRES_HZ):
        read = frame(sine(hz, 0.95, phase))  # at amplitude 1 the neighbours are clipped to 1 as well
        assert read[band] == pytest.approx(1 + 20 * np.log10(0.95) / 40, abs=0.005), band
        assert read.argmax() == band
        assert frame(sine(hz, 1.0, phase))[band] == pytest.approx(1.0, abs=0.005)


def test_halving_the_amplitude_lowers_the_frame_by_6_02_db() -> None:
    loud, soft = frame(sine(1_000, 0.5)), frame(sine(1_000, 0.25))
    audible = soft > -1
    assert audible.sum() > 5
    np.testing.assert_allclose((loud - soft)[audible], 20 * np.log10(2) / 40, atol=1e-6)


def test_silence_and_levels_below_80_db_are_minus_1() -> None:
    assert (frame(np.zeros(FFT_SIZE)) == -1).all()
    assert (frame(sine(1_000, 0.9e-4)) == -1).all()
    assert frame(sine(1_000, 1.2e-4)).max() > -1


def test_the_loudest_band_rises_with_the_frequency_of_a_sine() -> None:
    frequencies = np.geomspace(25, 19_900, 300)
    highest = [int(frame(sine(hz, 0.9)).argmax()) for hz in frequencies]
    assert highest == sorted(highest)
    assert np.abs(highest - np.floor(band_position(frequencies))).max() <= 1  # between two centres it may be either


def test_no_band_is_empty_and_at_most_two_bands_share_a_bin() -> None:
    filters = mel_filters()
    assert filters.shape == (NUM_BANDS, FFT_SIZE // 2 + 1)
    assert np.isfinite(filters).all()
    assert filters.min() == 0.0
    assert ((filters > 0).sum(axis=1) >= 2).all()
    np.testing.assert_array_equal(filters[:, 0], 0.0)  # a constant offset is inaudible
    sharing = (filters > 0).sum(axis=0)[band_position(np.arange(FFT_SIZE // 2 + 1) * SAMPLE_RATE_HZ / FFT_SIZE) > 0.5]
    assert sharing.max() == 2


def test_a_frame_depends_on_its_window_only_and_partial_windows_are_dropped() -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 600 * 5 + FFT_SIZE + 599)
    frames = log_mel_frames(sound, 600)
    assert frames.shape == (6, NUM_BANDS)
    assert frames.dtype == np.float32
    for t in range(6):
        np.testing.assert_allclose(frames[t], frame(sound[600 * t : 600 * t + FFT_SIZE]), atol=1e-6)
    assert len(log_mel_frames(sound[: log_mel.BLOCK_FRAMES + FFT_SIZE], 1)) == log_mel.BLOCK_FRAMES + 1


@pytest.mark.parametrize(("shape", "hop_length"), [((FFT_SIZE - 1,), 1), ((FFT_SIZE,), 0), ((2, FFT_SIZE), 1)])
def test_less_than_one_window_is_rejected(shape: tuple[int, ...], hop_length: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        log_mel_frames(np.zeros(shape), hop_length)


@pytest.mark.parametrize("settings", [{}, {"context": "embedding"}, {"context": "previous"}], ids=str)
@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_layout_covers_every_position_once(task: Task, settings: dict[str, str]) -> None:
    layout = CONTRACTS[task.name](settings)
    for name, size in (("inputs", task.num_inputs), ("outputs", task.num_outputs)):
        covered = [i for part in layout[name] for i in range(*part["positions"])]
        assert covered == list(range(size))
    json.dumps(layout, allow_nan=False)
