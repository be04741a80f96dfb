"""MIDI → sound, by FluidSynth: what a file of notes would be heard as."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import mido
import numpy as np
from numpy.typing import NDArray

from kelly.features.log_mel import SAMPLE_RATE_HZ
from kelly.runtime.errors import KellyError
from kelly.sources.readers.audio import MAX_SECONDS, read_audio

FLUIDSYNTH = "fluidsynth"
GAIN = "0.5"  # of FluidSynth, whose default of 0.2 is softer than recorded music; full chords stay below full scale
MAX_RENDER_S = 600.0  # FluidSynth plays some 50 times faster than it sounds; one that hangs is stopped


def render(midi: Path, soundfont: Path) -> NDArray[np.float32]:
    """Play a MIDI file: float32[num_samples] at SAMPLE_RATE_HZ, mono, -1..1, the same ones each time.

    Raises KellyError where FluidSynth or the soundfont is missing, it fails, or what it plays is silent or clipped.
    """
    program = find_fluidsynth(soundfont)
    if (length_s := mido.MidiFile(midi).length) > MAX_SECONDS:  # its silence after the last note is played as well
        raise KellyError(
            f"{midi}: {length_s:.0f} s to the end of its tracks, expected at most {MAX_SECONDS:.0f}; "
            "cut it or leave it out"
        )
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "rendered.wav"
        options = ["-n", "-i", "-q", "-r", str(SAMPLE_RATE_HZ), "-g", GAIN, "-R", "0", "-C", "0", "-O", "s16"]
        command = [program, *options, "-F", str(sound), str(soundfont.resolve()), str(midi.resolve())]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=MAX_RENDER_S, check=False)
        except subprocess.TimeoutExpired:
            raise KellyError(f"{midi}: FluidSynth took more than {MAX_RENDER_S:.0f} s; leave the file out") from None
        if done.returncode or not sound.exists():
            said = " ".join((done.stderr or done.stdout).split())[:200]
            raise KellyError(f"{midi}: FluidSynth cannot play it ({said}); leave the file out")
        try:
            return read_audio(sound)
        except KellyError as error:
            raise KellyError(f"{midi}: as FluidSynth plays it: {str(error).removeprefix(f'{sound}: ')}") from None


def find_fluidsynth(soundfont: Path) -> str:
    """The program's path. Raises KellyError where it or the soundfont is missing."""
    program = shutil.which(FLUIDSYNTH)
    if program is None:
        raise KellyError(
            "FluidSynth is not installed, which plays MIDI files as sound; install it "
            "(Debian: apt install fluidsynth, macOS: brew install fluid-synth)"
        )
    try:
        with soundfont.open("rb") as file:
            head = file.read(12)
    except OSError as error:
        raise KellyError(
            f"{soundfont}: cannot be read ({error.strerror}); set `soundfont` to a soundfont (.sf2), as in "
            "/usr/share/sounds/sf2 after: apt install fluid-soundfont-gm"
        ) from None
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise KellyError(f"{soundfont}: begins with {head!r}, expected a soundfont (.sf2): RIFF … sfbk")
    return program
