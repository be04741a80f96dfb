"""The Lakh MIDI Dataset: 176,581 files from the web, and 45,129 of them matched to tracks of the Million Song Dataset.

Raffel, "Learning-Based Methods for Comparing Sequences", PhD thesis, 2016; https://colinraffel.com/projects/lmd.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kelly.runtime.errors import KellyError
from kelly.sources.layouts.folders import scan, some_names
from kelly.sources.layouts.manifest import Entry, Manifest

TITLE = "Lakh MIDI Dataset, full or matched"
FILE = re.compile(r"[0-9a-f]{32}\.mid")  # the MD5 sum of the file
HEX_DIGIT = re.compile(r"[0-9a-f]")
LETTER = re.compile(r"[A-Z]")
TRACK = re.compile(r"TR[A-Z0-9]+")  # its id in the Million Song Dataset
MD5 = 32 * "[0-9a-f]"
GLOBS = {"full": f"[0-9a-f]/{MD5}.mid", "matched": f"[A-Z]/[A-Z]/[A-Z]/TR*/{MD5}.mid"}  # of the files in its folder
MARKERS = tuple(f"{folder}{glob}" for kind, glob in GLOBS.items() for folder in ("", f"lmd_{kind}/"))
ADVICE = (
    "set its path to lmd_full (0/<md5>.mid) or lmd_matched (A/A/A/TR…/<md5>.mid) of the Lakh MIDI Dataset, "
    "or to the folder that contains one of them"
)


def list_pieces(path: Path) -> Manifest:
    """List the files of `lmd_full` or `lmd_matched`, which `path` is or contains.

    In lmd_matched the files of one track are versions of one song, and so one group. A file that is in several tracks
    is listed once, by its first name, and makes one group of these tracks.
    Raises KellyError where neither is found, or both are.
    """
    kinds = {folder: kind for folder in ("", "lmd_full/", "lmd_matched/") if (kind := _kind(path / folder))}
    if len(kinds) != 1:
        found = " and ".join(folder.rstrip("/") or "." for folder in kinds) or some_names(path, ADVICE)
        raise KellyError(f"{path}: {ADVICE}; found {found}")
    ((folder, kind),) = kinds.items()
    names, num_others = _names(path, folder, (LETTER, LETTER, LETTER, TRACK) if kind == "matched" else (HEX_DIGIT,))
    counts: dict[str, int] = {}
    if kind == "full":
        entries = [Entry(name, path / name) for name in names]
    else:
        entries, num_songs = _songs(path, names)
        num_tracks, num_copies = len({name.split("/")[-2] for name in names}), len(names) - len(entries)
        counts = {"tracks": num_tracks, "groups": num_songs, "same_file_left_out": num_copies}
    facts = {"kind": kind, "files": len(entries), **counts, "other_files_left_out": num_others}
    return Manifest(entries, facts=facts)


def _kind(folder: Path) -> str:
    """'full', 'matched' or, where the folder is neither, ''."""
    return next((kind for kind, glob in GLOBS.items() if any(folder.glob(glob))), "")


def _names(path: Path, folder: str, levels: Sequence[re.Pattern[str]]) -> tuple[list[str], int]:
    """Sorted names of the files in the folders that match `levels`, and how many files there have other names."""
    folders = [folder]
    for level in levels:
        folders = [f"{f}{name}/" for f in folders for name in scan(path / f, ADVICE)[0] if level.fullmatch(name)]
    files = [f"{f}{name}" for f in folders for name in scan(path / f, ADVICE)[1]]
    names = sorted(name for name in files if FILE.fullmatch(name.rpartition("/")[2]))
    return names, len(files) - len(names)


def _songs(path: Path, names: Sequence[str]) -> tuple[list[Entry], int]:
    """The first of the sorted `names` of each file, grouped by connected tracks, and the number of groups."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    tracks, track = np.unique([name.split("/")[-2] for name in names], return_inverse=True)
    _, first, file = np.unique([name[-36:] for name in names], return_index=True, return_inverse=True)
    edges = coo_array((np.ones(len(names)), (track, track[first][file])), shape=(len(tracks), len(tracks)))
    num_songs, song = connected_components(edges, directed=False)
    _, first_track = np.unique(song, return_index=True)
    groups = tracks[first_track][song][track]
    return [Entry(names[i], path / names[i], group=str(groups[i])) for i in np.sort(first).tolist()], int(num_songs)
