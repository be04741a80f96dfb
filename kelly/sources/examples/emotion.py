"""EmotionRecognizer's lesson: audio frames of rated music, and the embedding of what listeners said of them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly.features.emotion import embed, usual_coordinates
from kelly.features.log_mel import FFT_SIZE, SAMPLE_RATE_HZ, log_mel_frames
from kelly.runtime.errors import KellyError
from kelly.sources.extraction.duplicates import signature, sound_signature
from kelly.sources.extraction.measured import Measured
from kelly.sources.extraction.rows import cut, limited
from kelly.sources.layouts.listing import Entry
from kelly.sources.layouts.ratings import START_MS, STEP_MS
from kelly.sources.readers.audio import read_audio
from kelly.sources.readers.midi import read_midi
from kelly.sources.readers.render import render
from kelly.sources.skipped import NotApplicableError

# A frame is the last FFT_SIZE samples up to the moment of its rating: what was heard when it was given.
HOP_LENGTH = SAMPLE_RATE_HZ * STEP_MS // 1000
RATED_START = SAMPLE_RATE_HZ * START_MS // 1000 - FFT_SIZE
MAX_MISSING = 2  # frames at the end of a song that its sound may lack: one second, as encoders cut it
RELEASE_S = 0.5  # what of a last note's release is heard as music; the silence that follows has no emotion

UNITS = {
    "frame": f"the {FFT_SIZE} samples at {SAMPLE_RATE_HZ} Hz up to the moment of a rating, one every {STEP_MS} ms",
    "valence, arousal": "mean of the raters, −1..1",
    "usual": "the seven other coordinates take what is usual for the emotion",
}


def from_sound(entry: Entry, num_frames: int, max_windows_per_piece: int | None) -> Measured:
    """Sequences of num_frames audio frames, one every half second, of one rated sound file.

    inputs float32[n, num_frames, 128], audio frames; targets float32[n, num_frames, 64], the embedding of the rating;
    masked past the piece's end. Raises KellyError as `read_audio` does, and where the sound ends before its ratings.
    """
    samples = read_audio(entry.path)
    return _measured(entry, samples, num_frames, max_windows_per_piece, sound_signature(samples))


def from_notes(entry: Entry, num_frames: int, max_windows_per_piece: int | None, soundfont: str) -> Measured:
    """The same of one rated MIDI file, as FluidSynth plays it with a soundfont.

    Raises KellyError as `read_midi` and `render` do, and NotApplicableError where nobody rated the piece.
    """
    if entry.valence is None and entry.ratings is None:
        raise NotApplicableError(f"{entry.path}: not rated, expected valence and arousal of it in labels.csv")
    notes = read_midi(entry.path).notes
    end_s = float((notes.onset_s + notes.duration_s).max()) + RELEASE_S
    samples = render(entry.path, Path(soundfont))[: int(end_s * SAMPLE_RATE_HZ)]
    return _measured(entry, samples, num_frames, max_windows_per_piece, signature(notes))


def _measured(
    entry: Entry,
    samples: NDArray[np.float32],
    num_frames: int,
    max_windows: int | None,
    own: NDArray[np.uint32] | None,
) -> Measured:
    if entry.ratings is None:
        frames = log_mel_frames(samples, HOP_LENGTH)
        valence, arousal = (np.full(len(frames), value) for value in (entry.valence, entry.arousal))
    else:
        valence, arousal = entry.ratings
        frames = _rated_frames(entry, samples, len(valence))
    targets = embed(usual_coordinates(valence, arousal))[: len(frames)].astype(np.float32)
    rows = cut(frames, targets, None, num_frames)
    return Measured(limited(rows, max_windows), entry.category, own, left_out=len(valence) - len(frames))


def _rated_frames(entry: Entry, samples: NDArray[np.float32], num_rated: int) -> NDArray[np.float32]:
    """Audio frames float32[num_rated or up to MAX_MISSING fewer, 128], the first where the ratings begin."""
    num_there = (len(samples) - RATED_START - FFT_SIZE) // HOP_LENGTH + 1
    if num_there < max(1, num_rated - MAX_MISSING):
        rated_s = (START_MS + STEP_MS * (num_rated - 1)) / 1000
        raise KellyError(
            f"{entry.path}: {len(samples) / SAMPLE_RATE_HZ:.1f} s long, expected {rated_s:.1f} s as its ratings are; "
            "it is cut short or another song, get the file anew"
        )
    return log_mel_frames(samples[RATED_START : RATED_START + FFT_SIZE + (num_rated - 1) * HOP_LENGTH], HOP_LENGTH)
