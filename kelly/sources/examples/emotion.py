"""Examples for EmotionRecognizer: audio frames of rated music, and the embeddings of their ratings."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly.features.emotion import embed, usual_coordinates
from kelly.features.log_mel import FFT_SIZE, SAMPLE_RATE_HZ, log_mel_frames
from kelly.runtime.errors import KellyError
from kelly.sources.extraction.duplicates import signature, sound_signature
from kelly.sources.extraction.file_examples import FileExamples
from kelly.sources.extraction.sequences import limit_windows, split_into_sequences
from kelly.sources.layouts.deam_ratings import START_MS, STEP_MS
from kelly.sources.layouts.manifest import Entry
from kelly.sources.readers.audio import read_audio
from kelly.sources.readers.midi import read_midi
from kelly.sources.readers.render import render
from kelly.sources.skipped import NotApplicableError

# A frame is the last FFT_SIZE samples before the moment of its rating.
HOP_LENGTH = SAMPLE_RATE_HZ * STEP_MS // 1000
RATED_START = SAMPLE_RATE_HZ * START_MS // 1000 - FFT_SIZE
MAX_MISSING = 2  # rated frames that may be missing at the end of a song: one second, which encoders may cut
RELEASE_S = 0.5  # kept of the last note's release; the silence after it has no emotion

UNITS = {
    "frame": f"the {FFT_SIZE} samples at {SAMPLE_RATE_HZ} Hz up to the moment of a rating, one every {STEP_MS} ms",
    "valence, arousal": "mean of the raters, −1..1",
    "usual": "the other seven coordinates are typical of the emotion",
}


def from_audio(entry: Entry, num_frames: int, max_windows_per_piece: int | None) -> FileExamples:
    """Sequences of num_frames audio frames, one every half second, of one rated audio file.

    inputs float32[n, num_frames, 128]: audio frames; targets float32[n, num_frames, 64]: embedding of the rating,
    masked past the end of the piece. Raises KellyError as `read_audio`, or if the audio ends before its ratings.
    """
    samples = read_audio(entry.path)
    return _examples(entry, samples, num_frames, max_windows_per_piece, sound_signature(samples))


def from_midi(entry: Entry, num_frames: int, max_windows_per_piece: int | None, soundfont: str) -> FileExamples:
    """The same of one rated MIDI file, rendered by FluidSynth with a soundfont.

    Raises KellyError as `read_midi` and `render`, NotApplicableError if the piece has no rating.
    """
    if entry.valence is None and entry.ratings is None:
        raise NotApplicableError(f"{entry.path}: not rated, expected its valence and arousal in labels.csv")
    notes = read_midi(entry.path).notes
    end_s = float((notes.onset_s + notes.duration_s).max()) + RELEASE_S
    samples = render(entry.path, Path(soundfont))[: int(end_s * SAMPLE_RATE_HZ)]
    return _examples(entry, samples, num_frames, max_windows_per_piece, signature(notes))


def _examples(
    entry: Entry,
    samples: NDArray[np.float32],
    num_frames: int,
    max_windows: int | None,
    piece_signature: NDArray[np.uint32] | None,
) -> FileExamples:
    if entry.ratings is None:
        frames = log_mel_frames(samples, HOP_LENGTH)
        valence, arousal = (np.full(len(frames), value) for value in (entry.valence, entry.arousal))
    else:
        valence, arousal = entry.ratings
        frames = _rated_frames(entry, samples, len(valence))
    targets = embed(usual_coordinates(valence, arousal))[: len(frames)].astype(np.float32)
    rows = split_into_sequences(frames, targets, None, num_frames)
    rows = limit_windows(rows, max_windows)
    return FileExamples(rows, entry.category, piece_signature, ratings_left_out=len(valence) - len(frames))


def _rated_frames(entry: Entry, samples: NDArray[np.float32], num_rated: int) -> NDArray[np.float32]:
    """Audio frames float32[num_rated or up to MAX_MISSING fewer, 128], from the first rating on."""
    num_frames = (len(samples) - RATED_START - FFT_SIZE) // HOP_LENGTH + 1
    if num_frames < max(1, num_rated - MAX_MISSING):
        rated_s = (START_MS + STEP_MS * (num_rated - 1)) / 1000
        raise KellyError(
            f"{entry.path}: {len(samples) / SAMPLE_RATE_HZ:.1f} s long, expected {rated_s:.1f} s, the duration of its "
            "ratings; the file is truncated or of another song, download it again"
        )
    return log_mel_frames(samples[RATED_START : RATED_START + FFT_SIZE + (num_rated - 1) * HOP_LENGTH], HOP_LENGTH)
