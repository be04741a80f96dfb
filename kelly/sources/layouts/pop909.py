"""POP909: piano arrangements of 909 Chinese pop songs in MELODY, BRIDGE and PIANO, with their beats and chords.

Wang et al., "POP909: A Pop-song Dataset for Music Arrangement Generation", ISMIR 2020;
https://github.com/music-x-lab/POP909-Dataset.
"""

import re
from pathlib import Path

from kelly.runtime.errors import KellyError
from kelly.sources.layouts.folders import scan, some_names
from kelly.sources.layouts.manifest import Entry, Manifest

FOLDER = "POP909"
BEATS, CHORDS = "beat_midi.txt", "chord_midi.txt"
MARKERS = ("POP909/[0-9][0-9][0-9]/*.mid", "[0-9][0-9][0-9]/chord_midi.txt")
SONG = re.compile(r"[0-9]{3}")
ADVICE = f"set its path to the repository of POP909 or to its folder {FOLDER}, which contains 001/001.mid"


def list_pieces(path: Path) -> Manifest:
    """List the songs of POP909, which `path` is or contains; their other `versions` are left out.

    A song without its MIDI file, its beats or its chords is unusable. Raises KellyError where there are no songs.
    """
    inside = f"{FOLDER}/" if (path / FOLDER).is_dir() else ""
    songs = [name for name in scan(path / inside, ADVICE)[0] if SONG.fullmatch(name)]
    entries, unusable, num_versions = [], [], 0
    for song in songs:
        name, folder = f"{inside}{song}/{song}.mid", path / inside / song
        folders, files = scan(folder, ADVICE)
        if "versions" in folders:
            num_versions += sum(file.endswith(".mid") for file in scan(folder / "versions", ADVICE)[1])
        if missing := [file for file in (f"{song}.mid", BEATS, CHORDS) if file not in files]:
            unusable.append({"file": name, "reason": f"{', '.join(missing)} missing; download the song again"})
        else:
            entries.append(Entry(name, path / name, beats=folder / BEATS, chords=folder / CHORDS))
    if not songs:
        raise KellyError(f"{path / inside}: {ADVICE}; found {some_names(path / inside, ADVICE)}")
    return Manifest(entries, unusable, {"songs": len(entries), "versions_left_out": num_versions})
