"""Reads any user's sound file into mono samples at the rate of an audio frame, or says in one message why it cannot."""

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from kelly.features.log_mel import FFT_SIZE, MIN_LEVEL_DB, SAMPLE_RATE_HZ
from kelly.runtime.errors import KellyError

# Far beyond any piece of music; past them a file is broken or hostile, and its samples would fill the memory. Besides,
# an IMA ADPCM WAV of up to 1 GiB stays below the 2^31 samples past which libsndfile 1.2.2 leaves its buffer:
# https://github.com/libsndfile/libsndfile/pull/1123
MAX_BYTES = 2**30
MAX_SECONDS = 3600.0
# From telephones to the fastest converters; outside, a header is damaged.
MIN_RATE_HZ = 8_000
MAX_RATE_HZ = 384_000

FORMATS = ("WAV", "WAVEX", "FLAC", "OGG", "MP3")
EXPECTED = "WAV, FLAC, OGG or MP3"
# What they begin with, an MP3 with its first frame or a tag. libsndfile's readers of rarer formats never see the rest.
SIGNATURES = (b"RIFF", b"fLaC", b"OggS", b"ID3", b"\xff")

# Share of what the header announces that must be there; not 1, since an MP3 without a Xing header has none, and what
# libmpg123 estimates in its place is 0.1 % too long.
MIN_SHARE = 0.99
UNKNOWN_BYTES = 0xFFFFFFFF  # announced by a WAV that was written to a pipe
MAX_CHUNKS = 1_000  # of a WAV, before its sound
NO_SUCH_FILE = 7  # libsndfile's SFE_BAD_FILE

MIN_PEAK = 10.0 ** (MIN_LEVEL_DB / 20.0)  # below it every audio frame is silence
# Clipped is what lies in a run of equal samples at full scale, which an overloaded converter leaves and a peak that
# just touches it does not. 8 bits end at 0.992; what is beyond 1, as in many an MP3, counts as 1.
FULL_SCALE = 0.99
CLIPPED_RUN = 3
# Of a normally distributed signal 5 % lies beyond full scale at −6 dBFS RMS, about as loud as masters get, 10 % at
# −4.3 dBFS, 16 % at −3 dBFS, 32 % at 0 dBFS.
MAX_CLIPPED_SHARE = 0.1

BLOCK_SAMPLES = 2**18  # decoded at once, of all channels together

_standard_error = threading.Lock()


def read_audio(path: Path) -> NDArray[np.float32]:
    """Read a WAV, FLAC, OGG or MP3 as float32[num_samples] at SAMPLE_RATE_HZ: the mean of its channels, in -1..1.

    Raises KellyError, naming file and reason, where it is missing, a folder, empty, of another format, damaged, cut
    short as far as its header tells, beyond MAX_BYTES or MAX_SECONDS, of a rate outside MIN_RATE_HZ..MAX_RATE_HZ,
    shorter than FFT_SIZE, silent, clipped, or holds samples that are not finite.
    """
    _check_file(path)
    try:
        with _no_standard_error(), soundfile.SoundFile(str(path)) as file:
            samples = _decode(path, file)
    except KellyError:
        raise
    except Exception as error:  # anything may come out of a broken file
        raise KellyError(
            f"{path}: damaged, or no sound at all ({_reason(error)}), expected {EXPECTED}; "
            "get the file anew or convert it"
        ) from error
    if len(samples) < FFT_SIZE:
        raise KellyError(
            f"{path}: {len(samples)} sample(s) at {SAMPLE_RATE_HZ} Hz, expected at least {FFT_SIZE}, one window; "
            "get the file anew or leave it out"
        )
    if max(samples.max(), -samples.min()) < MIN_PEAK:
        raise KellyError(
            f"{path}: silence, expected a sample above {MIN_LEVEL_DB:.0f} dBFS in the mean of its channels; "
            "get the file anew or leave it out"
        )
    return samples


def _check_file(path: Path) -> None:
    """Refuse what no decoder is needed for, and a WAV that is cut short, of which libsndfile says nothing."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            found = "a folder" if stat.S_ISDIR(about.st_mode) else "a device or a pipe"
            raise KellyError(f"{path}: {found}, expected a file; put the sound file there or leave it out")
        if not about.st_size:
            raise KellyError(f"{path}: empty, expected {EXPECTED}; get the file anew")
        if about.st_size > MAX_BYTES:
            raise KellyError(
                f"{path}: {about.st_size} bytes, expected at most {MAX_BYTES}; cut it to the part that is wanted"
            )
        with path.open("rb") as file:
            head = file.read(4)
            if not head.startswith(SIGNATURES):
                raise KellyError(
                    f"{path}: not a sound file: it begins with {head!r}, expected {EXPECTED}; "
                    "convert it or leave it out"
                )
            if head == b"RIFF" and (announced := _wav_bytes(file)) != UNKNOWN_BYTES:
                _check_whole(path, about.st_size - file.tell(), announced, "bytes")
    except OSError as error:
        raise KellyError(f"{path}: cannot be read ({error.strerror}); put the file there or leave it out") from error


def _wav_bytes(file: BinaryIO) -> int:
    """Length of the sound that a WAV announces, with `file` left where it begins; 0 where no sound is found."""
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


def _reason(error: Exception) -> str:
    """What libsndfile says, save that it calls a file missing in which libmpg123 finds nothing to decode."""
    if getattr(error, "code", None) == NO_SUCH_FILE:
        return "no frame of an MP3 in it"
    return str(getattr(error, "error_string", repr(error))).rstrip(".")


def _check_whole(path: Path, there: int, announced: int, unit: str) -> None:
    if there < MIN_SHARE * announced:
        raise KellyError(
            f"{path}: cut short: {there} {unit} of sound, expected the {announced} that its header announces; "
            "get the file anew, or convert it if it plays to its end"
        )


def _check_length(path: Path, num_samples: int, rate_hz: int) -> None:
    if num_samples > MAX_SECONDS * rate_hz:
        raise KellyError(
            f"{path}: {num_samples / rate_hz:.0f} s long, expected at most {MAX_SECONDS:.0f}; "
            "cut it to the part that is wanted, or get the file anew if it is not so long"
        )


def _decode(path: Path, file: soundfile.SoundFile) -> NDArray[np.float32]:
    """Mean of the channels, limited to -1..1 and resampled, block by block so that only the result is held whole."""
    rate_hz = file.samplerate
    if file.format not in FORMATS:
        raise KellyError(f"{path}: {file.format}, expected {EXPECTED}; convert it")
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise KellyError(
            f"{path}: {rate_hz} samples a second, expected {MIN_RATE_HZ} to {MAX_RATE_HZ}; "
            "get the file anew or convert it"
        )
    _check_length(path, file.frames, rate_hz)
    resampler = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32") if rate_hz != SAMPLE_RATE_HZ else None
    buffer = np.empty((BLOCK_SAMPLES // file.channels, file.channels), dtype=np.float32)
    parts, num_samples, num_clipped = [], 0, 0
    while len(block := file.read(out=buffer)):
        num_samples += len(block)
        _check_length(path, num_samples, rate_hz)
        if not np.isfinite(block).all():
            raise KellyError(f"{path}: samples that are not finite, expected -1..1; export it anew or leave it out")
        np.clip(block, -1.0, 1.0, out=block)
        num_clipped += _count_clipped(block)
        mono = block.mean(axis=1)
        parts.append(mono if resampler is None else resampler.resample_chunk(mono))
    if resampler is not None:
        parts.append(resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True))
    _check_whole(path, num_samples, file.frames, "samples")
    share = num_clipped / max(1, num_samples * file.channels)
    if share > MAX_CLIPPED_SHARE:
        raise KellyError(
            f"{path}: clipped: {share:.0%} of its samples lie in runs of {CLIPPED_RUN} or more at full scale, expected "
            f"at most {MAX_CLIPPED_SHARE:.0%}; export it at a lower level or leave it out"
        )
    samples: NDArray[np.float32] = np.concatenate([np.zeros(0, dtype=np.float32), *parts])
    return np.clip(samples, -1.0, 1.0, out=samples)  # resampling overshoots


def _count_clipped(block: NDArray[np.float32]) -> int:
    """How many of block[num_samples, num_channels], limited to -1..1, lie in runs of CLIPPED_RUN at full scale."""
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
def _no_standard_error() -> Iterator[None]:
    """Send what libmpg123 writes there nowhere: libsndfile has no switch for it.

    https://github.com/libsndfile/libsndfile/issues/958
    """
    with _standard_error, Path(os.devnull).open("wb") as nowhere:
        try:
            shown = os.dup(2)
        except OSError:  # it is closed
            yield
            return
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(shown, 2)
            os.close(shown)
