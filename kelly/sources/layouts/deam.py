"""Music with ratings of its emotion, from a folder in the layout of DEAM.

Aljanaki, Yang & Soleymani, "Developing a benchmark for emotional analysis of music", PLoS ONE 12(3):e0173392, 2017,
https://doi.org/10.1371/journal.pone.0173392; the MediaEval Database for Emotional Analysis in Music.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kelly.runtime.errors import KellyError
from kelly.sources.layouts.deam_static import read_static
from kelly.sources.layouts.listing import Entry, Listing
from kelly.sources.layouts.ratings import read_ratings

Ratings = Literal["dynamic", "static"]

AUDIO = "MEMD_audio"
SUFFIXES = (".mp3", ".wav", ".flac", ".ogg")  # as published, and what it may be converted to


def list_pieces(path: Path, ratings: Ratings) -> Listing:
    """List the rated songs that have one sound file each.

    ratings: 'dynamic', twice a second from 15 s on, or 'static', one of the whole song. Raises KellyError where the
    layout is not met.
    """
    rated: dict[str, dict[str, Any]]
    if ratings == "dynamic":
        songs = read_ratings(path)
        rated = {song.song_id: {"ratings": np.stack([song.valence, song.arousal])} for song in songs}
        facts = {"ratings_in_one_table_only": sum(song.left_out for song in songs)}
    else:
        rated = {song_id: {"valence": v, "arousal": a} for song_id, (v, a) in read_static(path).items()}
        facts = {}
    files = _sound_files(path / AUDIO)
    entries, unusable = [], []
    for song_id, said in rated.items():
        found = files.get(song_id, [])
        if len(found) == 1:
            entries.append(Entry(f"{AUDIO}/{found[0].name}", found[0], **said))
        else:
            names = ", ".join(file.name for file in found) or "no file"
            expected = " or ".join(f"{song_id}{suffix}" for suffix in SUFFIXES)
            reason = f"{names}, expected one of {expected}; put it there or remove the others"
            unusable.append({"file": f"{AUDIO}/{song_id}", "reason": reason})
    return Listing(entries, unusable, facts)


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
