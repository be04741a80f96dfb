"""Music with ratings of its emotion, from a folder in the layout of DEAM.

Aljanaki, Yang & Soleymani, "Developing a benchmark for emotional analysis of music", PLoS ONE 12(3):e0173392, 2017,
https://doi.org/10.1371/journal.pone.0173392; the MediaEval Database for Emotional Analysis in Music.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kelly.datasets.listing import Entry, Listing
from kelly.datasets.ratings import read_ratings
from kelly.errors import KellyError

AUDIO = "MEMD_audio"
SUFFIXES = (".mp3", ".wav", ".flac", ".ogg")  # as published, and what it may be converted to


def list_pieces(path: Path) -> Listing:
    """List the rated songs that have one sound file each. Raises KellyError where the layout is not met."""
    songs = read_ratings(path)
    files = _sound_files(path / AUDIO)
    entries, unusable = [], []
    for song in songs:
        found = files.get(song.song_id, [])
        if len(found) == 1:
            ratings = np.stack([song.valence, song.arousal])
            entries.append(Entry(f"{AUDIO}/{found[0].name}", found[0], ratings=ratings))
        else:
            names = ", ".join(file.name for file in found) or "no file"
            expected = " or ".join(f"{song.song_id}{suffix}" for suffix in SUFFIXES)
            reason = f"{names}, expected one of {expected}; put it there or remove the others"
            unusable.append({"file": f"{AUDIO}/{song.song_id}", "reason": reason})
    return Listing(entries, unusable, {"ratings_in_one_table_only": sum(song.left_out for song in songs)})


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
