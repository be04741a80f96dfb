"""Music with ratings of its emotion, from a folder in the layout of DEAM: audio frames → the emotion's embedding.

Aljanaki, Yang & Soleymani, "Developing a benchmark for emotional analysis of music", PLoS ONE 12(3):e0173392, 2017,
https://doi.org/10.1371/journal.pone.0173392; the MediaEval Database for Emotional Analysis in Music.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from kelly.datasets.audio import read_audio
from kelly.datasets.ratings import START_MS, STEP_MS, Song, read_ratings
from kelly.datasets.sequences import Dataset, Sequences
from kelly.datasets.skipped import Skipped, check_skipped
from kelly.emotion import embed, usual_coordinates
from kelly.errors import KellyError
from kelly.features import FFT_SIZE, SAMPLE_RATE_HZ, log_mel_frames

AUDIO = "MEMD_audio"
SUFFIXES = (".mp3", ".wav", ".flac", ".ogg")  # as published, and what it may be converted to

# A frame is the last FFT_SIZE samples up to the moment of its rating: what was heard when it was given.
HOP_LENGTH = SAMPLE_RATE_HZ * STEP_MS // 1000
START = SAMPLE_RATE_HZ * START_MS // 1000 - FFT_SIZE
MAX_MISSING = 2  # frames at the end of a song that its sound may lack: one second, as encoders cut it

UNITS = {
    "frame": f"the {FFT_SIZE} samples at {SAMPLE_RATE_HZ} Hz up to the moment of a rating, one every {STEP_MS} ms",
    "valence, arousal": "mean of the raters, −1..1",
    "usual": "the seven other coordinates take what is usual for the emotion",
}


def deam(path: Path | str, num_frames: int, max_skipped_share: float, num_workers: int = -1) -> Dataset:
    """Make EmotionRecognizer's data: windows of num_frames frames, one every half second, of each rated song.

    inputs float32[n, num_frames, 128], audio frames; targets float32[n, num_frames, 64], the embedding of the mean
    rating; the last window of a song is masked past its end. groups: the song's id; songs of the same sound share one.
    num_workers: processes; −1 is one a core.
    Raises KellyError where the layout is not met or more than `max_skipped_share` (0..1) of the songs cannot be used.
    """
    folder = Path(path)
    songs = read_ratings(folder)
    files = _sound_files(folder / AUDIO)
    windows: dict[str, list[Any]] = defaultdict(list)
    skipped: list[Skipped] = []
    first_with: dict[bytes, str] = {}
    used = left_out = 0
    for song, frames in zip(songs, _all_frames(songs, files, num_workers), strict=True):
        if isinstance(frames, str):
            skipped.append({"file": f"{AUDIO}/{song.song_id}", "reason": frames})
            continue
        targets = embed(usual_coordinates(song.valence, song.arousal))[: len(frames)].astype(np.float32)
        group = first_with.setdefault(frames.tobytes(), song.song_id)
        used += len(frames)
        left_out += song.left_out + len(song.arousal) - len(frames)
        for start in range(0, len(frames), num_frames):
            part = slice(start, start + num_frames)
            present = np.ones(targets[part].shape, dtype=np.bool_)
            missing = ((0, num_frames - len(present)), (0, 0))
            # Past its end a song stays as it was: a state that goes on from here is one that it could have left.
            windows["inputs"].append(np.pad(frames[part], missing, mode="edge"))
            windows["targets"].append(np.pad(targets[part], missing))
            windows["mask"].append(np.pad(present, missing))
            windows["groups"].append(group)
    check_skipped(folder, skipped, len(songs), max_skipped_share)
    facts = {
        "files": len(songs),
        "songs": len(songs) - len(skipped),
        "groups": len(first_with),
        "frames": used,
        "ratings_left_out": left_out,
        "sequences": len(windows["groups"]),
        "hop_length": HOP_LENGTH,
        "units": UNITS,
        "skipped": skipped,
    }
    return Dataset(Sequences(**{name: np.array(rows) for name, rows in windows.items()}), facts=facts)


def _sound_files(folder: Path) -> Mapping[str, list[Path]]:
    """The sound files of a folder by their name without suffix; a song's id is looked up here, never made a path."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise KellyError(
            f"{folder}: cannot be read ({error.strerror}); expected the sound files of DEAM; "
            "set data.deam.path to the folder that holds annotations and MEMD_audio"
        ) from error
    files: dict[str, list[Path]] = defaultdict(list)
    for entry in entries:
        if entry.suffix.lower() in SUFFIXES:
            files[entry.stem].append(entry)
    return files


def _all_frames(
    songs: Sequence[Song], files: Mapping[str, list[Path]], num_workers: int
) -> Iterator[NDArray[np.float32] | str]:
    """What `_frames` yields of each song, in order."""
    work = joblib.Parallel(n_jobs=num_workers, return_as="generator")(
        joblib.delayed(_frames)(song.song_id, files.get(song.song_id, []), len(song.arousal)) for song in songs
    )
    num_done = 0
    try:
        for frames in tqdm(work, total=len(songs), desc="deam", unit="song", disable=None):
            yield frames
            num_done += 1
    except BrokenProcessPool as error:
        raise KellyError(
            f"{AUDIO}: a reading process was killed at song {songs[num_done].song_id} or one of the next, by a file "
            "that breaks libsndfile or for lack of memory; leave that file out, or free memory"
        ) from error


def _frames(song_id: str, files: Sequence[Path], num_rated: int) -> NDArray[np.float32] | str:
    """Audio frames float32[num_rated or up to MAX_MISSING fewer, 128] of a song, or the reason why there are none."""
    try:
        if len(files) != 1:
            found = ", ".join(file.name for file in files) or "no file"
            expected = " or ".join(f"{song_id}{suffix}" for suffix in SUFFIXES)
            raise KellyError(f"{found}, expected one of {expected}; put it there or remove the others")
        samples = read_audio(files[0])
        num_there = (len(samples) - START - FFT_SIZE) // HOP_LENGTH + 1
        if num_there < max(1, num_rated - MAX_MISSING):
            rated_s = (START_MS + STEP_MS * (num_rated - 1)) / 1000
            raise KellyError(
                f"{files[0]}: {len(samples) / SAMPLE_RATE_HZ:.1f} s long, expected {rated_s:.1f} s as its ratings are; "
                "it is cut short or another song, get the file anew"
            )
    except KellyError as error:
        return str(error)
    return log_mel_frames(samples[START : START + FFT_SIZE + (num_rated - 1) * HOP_LENGTH], HOP_LENGTH)
