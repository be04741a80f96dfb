"""Music with ratings of its emotion, from a folder in the layout of DEAM.

Aljanaki, Yang & Soleymani, "Developing a benchmark for emotional analysis of music", PLoS ONE 12(3):e0173392, 2017,
https://doi.org/10.1371/journal.pone.0173392; the MediaEval Database for Emotional Analysis in Music.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from kelly.runtime.errors import KellyError
from kelly.runtime.system_errors import raise_system_error
from kelly.sources.layouts.deam_ratings import ADVICE, FOLDER, read_dynamic, read_static
from kelly.sources.layouts.manifest import Entry, Manifest

Ratings = Literal["dynamic", "static"]

AUDIO = "MEMD_audio"
MARKERS = (FOLDER.as_posix(), AUDIO)
SUFFIXES = (".mp3", ".wav", ".flac", ".ogg")  # as published, and what it may be converted to


def list_pieces(path: Path, ratings: Ratings) -> Manifest:
    """List the rated songs that have exactly one audio file.

    ratings: 'dynamic', twice a second from 15 s on, or 'static', one of the whole song. Raises KellyError where a
    table is invalid or the audio folder is missing.
    """
    annotations: dict[str, dict[str, Any]]
    if ratings == "dynamic":
        songs, num_unpaired = read_dynamic(path)
        annotations = {song_id: {"ratings": values} for song_id, values in songs.items()}
        facts = {"ratings_in_one_table_only": num_unpaired}
    else:
        annotations = {song_id: {"valence": v, "arousal": a} for song_id, (v, a) in read_static(path).items()}
        facts = {}
    files = _audio_files(path / AUDIO)
    entries, unusable = [], []
    for song_id, annotation in annotations.items():
        candidates = files.get(song_id, [])
        if len(candidates) == 1:
            entries.append(Entry(f"{AUDIO}/{candidates[0].name}", candidates[0], **annotation))
        else:
            names = ", ".join(file.name for file in candidates) or "no file"
            expected = " or ".join(f"{song_id}{suffix}" for suffix in SUFFIXES)
            reason = f"found {names}, expected one of {expected}; add it or remove the others"
            unusable.append({"file": f"{AUDIO}/{song_id}", "reason": reason})
    return Manifest(entries, unusable, facts)


def _audio_files(folder: Path) -> Mapping[str, list[Path]]:
    """The audio files of a folder by their name without suffix; a song id is looked up here, never made a path."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise_system_error(error, folder)
        raise KellyError(f"{folder}: {ADVICE}; the folder of audio cannot be read ({error.strerror})") from error
    files: dict[str, list[Path]] = defaultdict(list)
    for entry in entries:
        if entry.suffix.lower() in SUFFIXES:
            files[entry.stem].append(entry)
    return files
