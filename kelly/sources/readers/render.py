"""Renders MIDI files as audio with FluidSynth."""

import errno
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly.features.log_mel import SAMPLE_RATE_HZ
from kelly.runtime.errors import KellyError
from kelly.runtime.system_errors import raise_system_error
from kelly.sources.readers.audio import MAX_SECONDS, read_audio

FLUIDSYNTH = "fluidsynth"
FRAME_BYTES = 4  # two channels of 16 bits
GAIN = "0.5"  # FluidSynth's default of 0.2 is softer than recorded music; full chords stay below full scale
MAX_RENDER_S = 600.0  # FluidSynth renders some 50 times faster than real time; one that hangs is killed


def render(midi: Path, soundfont: Path) -> NDArray[np.float32]:
    """Render a MIDI file: float32[num_samples] at SAMPLE_RATE_HZ, mono, -1..1; deterministic.

    Raises KellyError if FluidSynth or the soundfont is missing, it fails, or the audio is silent or clipped.
    """
    import mido

    program = find_fluidsynth(soundfont)
    if (length_s := mido.MidiFile(midi).length) > MAX_SECONDS:  # the silence after the last note is rendered as well
        raise KellyError(
            f"{midi}: {length_s:.0f} s to the end of its tracks, expected at most {MAX_SECONDS:.0f}; "
            "shorten it or remove it"
        )
    with tempfile.TemporaryDirectory() as folder:
        if shutil.disk_usage(folder).free < length_s * SAMPLE_RATE_HZ * FRAME_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), folder)
        wav = Path(folder) / "rendered.wav"
        options = ["-n", "-i", "-q", "-r", str(SAMPLE_RATE_HZ), "-g", GAIN, "-R", "0", "-C", "0", "-O", "s16"]
        command = [program, *options, "-F", str(wav), str(soundfont.resolve()), str(midi.resolve())]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=MAX_RENDER_S, check=False)
        except subprocess.TimeoutExpired:
            raise KellyError(f"{midi}: FluidSynth took more than {MAX_RENDER_S:.0f} s; remove the file") from None
        if done.returncode == -signal.SIGKILL:
            raise MemoryError(f"in FluidSynth, which was killed while it rendered {midi}")
        if done.returncode or not wav.exists():
            output = " ".join((done.stderr or done.stdout).split())[:200]
            raise KellyError(f"{midi}: FluidSynth cannot render it ({output}); remove the file")
        try:
            return read_audio(wav)
        except KellyError as error:
            raise KellyError(f"{midi}: rendered by FluidSynth: {str(error).removeprefix(f'{wav}: ')}") from None


def find_fluidsynth(soundfont: Path) -> str:
    """Path of the program. Raises KellyError if it or the soundfont is missing."""
    program = shutil.which(FLUIDSYNTH)
    if program is None:
        raise KellyError(
            "FluidSynth, which renders MIDI files, is not installed; install it "
            "(Debian: apt install fluidsynth, macOS: brew install fluid-synth)"
        )
    try:
        with soundfont.open("rb") as file:
            head = file.read(12)
    except OSError as error:
        raise_system_error(error, soundfont)
        raise KellyError(
            f"{soundfont}: cannot be read ({error.strerror}); set `soundfont` to a soundfont (.sf2), such as those in "
            "/usr/share/sounds/sf2 after: apt install fluid-soundfont-gm"
        ) from None
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise KellyError(f"{soundfont}: begins with {head!r}, expected a soundfont (.sf2): RIFF … sfbk")
    return program
