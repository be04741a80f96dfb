"""Reads an audio file into mono samples at the sample rate of the audio frame."""

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from kelly.features.log_mel import FFT_SIZE, MIN_LEVEL_DB, SAMPLE_RATE_HZ
from kelly.runtime.errors import KellyError
from kelly.runtime.system_errors import raise_system_error

if TYPE_CHECKING:  # slow to import, so functions that decode audio import it
    import soundfile

# Far beyond any piece of music: a larger file is broken or hostile, and its samples would fill the memory. In addition,
# an IMA ADPCM WAV of up to 1 GiB stays below 2^31 samples, beyond which libsndfile 1.2.2 writes outside its buffer:
# https://github.com/libsndfile/libsndfile/pull/1123
MAX_BYTES = 2**30
MAX_SECONDS = 3600.0
# From telephones to the fastest converters; outside this range the header is damaged.
MIN_RATE_HZ = 8_000
MAX_RATE_HZ = 384_000

FORMATS = ("WAV", "WAVEX", "FLAC", "OGG", "MP3")
EXPECTED = "WAV, FLAC, OGG or MP3"
GET_AGAIN = "download or export the file again"
# First bytes of these formats, an MP3's being a frame or a tag. Other files never reach libsndfile's rarer decoders.
SIGNATURES = (b"RIFF", b"fLaC", b"OggS", b"ID3", b"\xff")

# Minimum fraction of the announced length; not 1, as libmpg123's estimate for an MP3 without Xing header is 0.1 % long.
MIN_FRACTION = 0.99
UNKNOWN_BYTES = 0xFFFFFFFF  # length announced by a WAV that was written to a pipe
MAX_CHUNKS = 1_000  # of a WAV, before its samples
NO_SUCH_FILE = 7  # libsndfile's SFE_BAD_FILE

MIN_PEAK = 10.0 ** (MIN_LEVEL_DB / 20.0)  # below it every audio frame is silence
# Samples are clipped in runs of equal values at full scale, which an overloaded converter produces and a peak that just
# touches full scale does not. The maximum of 8 bits is 0.992; values beyond 1, common in MP3, count as 1.
FULL_SCALE = 0.99
CLIPPED_RUN = 3
# 5 % of a normally distributed signal is beyond full scale at −6 dBFS RMS, as loud as masters get; 10 % at −4.3 dBFS,
# 16 % at −3 dBFS, 32 % at 0 dBFS.
MAX_CLIPPED_FRACTION = 0.1

BLOCK_SAMPLES = 2**18  # decoded at once, over all channels

_stderr_lock = threading.Lock()


def read_audio(path: Path) -> NDArray[np.float32]:
    """Read a WAV, FLAC, OGG or MP3 as float32[num_samples] at SAMPLE_RATE_HZ: the mean of its channels, in -1..1.

    Raises KellyError if the file is missing, a folder, empty, of another format, damaged, shorter than its header
    announces, beyond MAX_BYTES or MAX_SECONDS, of a rate outside MIN_RATE_HZ..MAX_RATE_HZ, shorter than FFT_SIZE,
    silent, clipped, or has samples that are not finite.
    """
    import soundfile

    _check_file(path)
    try:
        with _stderr_discarded(), soundfile.SoundFile(str(path)) as file:
            samples = _decode(path, file)
    except KellyError:
        raise
    except Exception as error:  # a broken file may raise anything
        raise_system_error(error, path)
        reason = str(getattr(error, "error_string", repr(error))).rstrip(".")
        if getattr(error, "code", None) == NO_SUCH_FILE:  # libmpg123 found nothing to decode
            reason = "no MP3 frame"
        raise KellyError(f"{path}: damaged or no audio ({reason}), expected {EXPECTED}; {GET_AGAIN}") from error
    if len(samples) < FFT_SIZE:
        length = f"{len(samples)} sample(s) at {SAMPLE_RATE_HZ} Hz, expected at least {FFT_SIZE}"
        raise KellyError(f"{path}: {length}; {GET_AGAIN} or remove it")
    if max(samples.max(), -samples.min()) < MIN_PEAK:
        raise KellyError(f"{path}: silent in mono, expected above {MIN_LEVEL_DB:.0f} dBFS; {GET_AGAIN} or remove it")
    return samples


def _check_file(path: Path) -> None:
    """Reject a file that is wrong without decoding it, and a truncated WAV, which libsndfile reads without an error."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a device or a pipe"
            raise KellyError(f"{path}: {kind}, expected an audio file; remove it")
        if not status.st_size:
            raise KellyError(f"{path}: empty, expected {EXPECTED}; {GET_AGAIN}")
        if status.st_size > MAX_BYTES:
            raise KellyError(f"{path}: {status.st_size} bytes, expected at most {MAX_BYTES}; shorten it")
        with path.open("rb") as file:
            head = file.read(4)
            if not head.startswith(SIGNATURES):
                raise KellyError(f"{path}: begins with {head!r}, expected {EXPECTED}; convert it or remove it")
            if head == b"RIFF" and (announced := _wav_bytes(file)) != UNKNOWN_BYTES:
                _check_complete(path, status.st_size - file.tell(), announced, "bytes")
    except PermissionError as error:
        raise KellyError(f"{path}: cannot be read ({error.strerror}); change its permissions") from error
    except OSError as error:
        raise_system_error(error, path)
        raise KellyError(f"{path}: cannot be read ({error.strerror}); check the path") from error


def _wav_bytes(file: BinaryIO) -> int:
    """Announced length of a WAV's samples, with `file` positioned at their start; 0 if there are none."""
    position = 12
    for _ in range(MAX_CHUNKS):
        file.seek(position)
        chunk = file.read(8)
        length = int.from_bytes(chunk[4:], "little")
        if chunk[:4] == b"data":
            return length
        if len(chunk) < 8:
            break
        position += 8 + length + length % 2
    return 0


def _check_complete(path: Path, length: int, announced: int, unit: str) -> None:
    if length < MIN_FRACTION * announced:
        raise KellyError(
            f"{path}: truncated: {length} {unit} of audio, expected {announced} as in its header; "
            f"{GET_AGAIN}, or convert it if it plays to its end"
        )


def _check_length(path: Path, num_samples: int, rate_hz: int) -> None:
    if num_samples > MAX_SECONDS * rate_hz:
        seconds = f"{num_samples / rate_hz:.0f} s long, expected at most {MAX_SECONDS:.0f}"
        raise KellyError(f"{path}: {seconds}; shorten it, or {GET_AGAIN} if it is shorter")


def _decode(path: Path, file: "soundfile.SoundFile") -> NDArray[np.float32]:
    """Mean of the channels, clipped to -1..1 and resampled; block by block, so that only the result is in memory."""
    import soxr

    rate_hz = file.samplerate
    if file.format not in FORMATS:
        raise KellyError(f"{path}: {file.format}, expected {EXPECTED}; convert it")
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise KellyError(f"{path}: {rate_hz} samples per second, expected {MIN_RATE_HZ} to {MAX_RATE_HZ}; {GET_AGAIN}")
    _check_length(path, file.frames, rate_hz)
    resampler = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32") if rate_hz != SAMPLE_RATE_HZ else None
    buffer = np.empty((BLOCK_SAMPLES // file.channels, file.channels), dtype=np.float32)
    blocks, num_samples, num_clipped = [], 0, 0
    while len(block := file.read(out=buffer)):
        num_samples += len(block)
        _check_length(path, num_samples, rate_hz)
        if not np.isfinite(block).all():
            raise KellyError(f"{path}: samples that are not finite, expected -1..1; export it again or remove it")
        np.clip(block, -1.0, 1.0, out=block)
        num_clipped += _count_clipped(block)
        mono = block.mean(axis=1)
        blocks.append(mono if resampler is None else resampler.resample_chunk(mono))
    if resampler is not None:
        blocks.append(resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True))
    _check_complete(path, num_samples, file.frames, "samples")
    clipped = num_clipped / max(1, num_samples * file.channels)
    if clipped > MAX_CLIPPED_FRACTION:
        raise KellyError(
            f"{path}: clipped: {clipped:.0%} of its samples are in runs of {CLIPPED_RUN} or more at full scale, "
            f"expected at most {MAX_CLIPPED_FRACTION:.0%}; export it at a lower level or remove it"
        )
    samples: NDArray[np.float32] = np.concatenate([np.zeros(0, dtype=np.float32), *blocks])
    return np.clip(samples, -1.0, 1.0, out=samples)  # resampling overshoots


def _count_clipped(block: NDArray[np.float32]) -> int:
    """Count the values of block[num_samples, num_channels], in -1..1, that are in runs of CLIPPED_RUN at full scale."""
    full = np.abs(block) >= FULL_SCALE
    if len(block) < CLIPPED_RUN or not full.any():
        return 0
    continued = full[1:] & (block[1:] == block[:-1])
    runs = np.lib.stride_tricks.sliding_window_view(continued, CLIPPED_RUN - 1, axis=0)
    begins: NDArray[np.bool_] = np.all(runs, axis=-1)
    in_run = np.zeros_like(full)
    for i in range(CLIPPED_RUN):
        in_run[i : i + len(begins)] |= begins
    return int(in_run.sum())


@contextmanager
def _stderr_discarded() -> Iterator[None]:
    """Discard the warnings that libmpg123 writes to stderr: libsndfile has no option to disable them.

    https://github.com/libsndfile/libsndfile/issues/958
    """
    with _stderr_lock, Path(os.devnull).open("wb") as devnull:
        try:
            stderr = os.dup(2)
        except OSError:  # it is closed
            yield
            return
        os.dup2(devnull.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
