"""POP909: piano arrangements of 909 Chinese pop songs in MELODY, BRIDGE and PIANO, with their beats and chords.

Wang et al., "POP909: A Pop-song Dataset for Music Arrangement Generation", ISMIR 2020;
https://github.com/music-x-lab/POP909-Dataset.
"""

import io
import math
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kelly.runtime.errors import KellyError
from kelly.runtime.files import read_bytes
from kelly.sources.layouts.folders import found_in, scan
from kelly.sources.layouts.listing import Entry, Listing
from kelly.sources.layouts.tables import NUMBER, shown, tell_faults

FOLDER = "POP909"
BEATS, CHORDS = "beat_midi.txt", "chord_midi.txt"
SONG = re.compile(r"[0-9]{3}")
EXPECTED = f"expected POP909, set its path to the repository or to its folder {FOLDER}, which holds 001/001.mid"
MEND = "mend them or get the file anew"
MAX_BYTES = 2**20  # a published file takes up to 20 kB
OVERLAP_S = 0.001  # of chords, as their times are rounded


def list_pieces(path: Path) -> Listing:
    """List the songs of POP909, which `path` is or holds; their other `versions` are left out.

    A song without its MIDI file, its beats or its chords is unusable. Raises KellyError where there are no songs.
    """
    inside = f"{FOLDER}/" if (path / FOLDER).is_dir() else ""
    songs = [name for name in scan(path / inside, EXPECTED)[0] if SONG.fullmatch(name)]
    entries, unusable, num_versions = [], [], 0
    for song in songs:
        name, folder = f"{inside}{song}/{song}.mid", path / inside / song
        folders, files = scan(folder, EXPECTED)
        if "versions" in folders:
            num_versions += sum(file.endswith(".mid") for file in scan(folder / "versions", EXPECTED)[1])
        if missing := [file for file in (f"{song}.mid", BEATS, CHORDS) if file not in files]:
            unusable.append({"file": name, "reason": f"{', '.join(missing)} missing, expected beside each other"})
        else:
            entries.append(Entry(name, path / name, beats=folder / BEATS, chords=folder / CHORDS))
    if not songs:
        raise KellyError(f"{path / inside}: found {found_in(path / inside, EXPECTED)}, {EXPECTED}")
    return Listing(entries, unusable, {"songs": len(entries), "versions_left_out": num_versions})


def read_beats(path: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Beats of a song: float64[num_beats], rising, in seconds, and bool[num_beats], whether a beat begins a bar.

    A line is a time, whether the beat begins half a bar, and whether it begins a bar, each 0 or 1, between spaces.
    Raises KellyError, with all that is wrong at once, where a line is none such, times do not rise or fewer than two
    beats are found.
    """
    wrong: list[str] = []
    times_s: list[float] = []
    begins_bar: list[bool] = []
    for line, words in _lines(path, "expected the beats of a song"):
        flags = [_number(word) for word in words[1:]]
        if len(words) != 3 or not all(flag in (0, 1) for flag in flags):
            wrong.append(f"line {line}: {shown(' '.join(words))}, expected a time and two of 0.0 or 1.0")
            continue
        time_s = _seconds(words[0], line, wrong)
        if times_s and time_s <= times_s[-1]:
            wrong.append(f"line {line}: {time_s} s after {times_s[-1]} s, expected rising times")
        times_s.append(time_s)
        begins_bar.append(flags[1] == 1)
    if len(times_s) < 2 and not wrong:
        wrong.append(f"{len(times_s)} beats, expected at least 2")
    tell_faults(path, wrong, MEND)
    return np.array(times_s), np.array(begins_bar)


def read_chords(path: Path) -> list[tuple[float, float, str]]:
    """Chords of a song by onset: onset and end in seconds, and the label as it stands there, such as F#:maj7/5 or N.

    A line is an onset, an end and a label, between tabs or spaces.
    Raises KellyError, with all that is wrong at once, where a line is none such, chords end before they begin or begin
    before the last one ends, or none is found.
    """
    wrong: list[str] = []
    chords: list[tuple[int, float, float, str]] = []
    for line, words in _lines(path, "expected the chords of a song"):
        if len(words) != 3:
            wrong.append(f"line {line}: {shown(' '.join(words))}, expected an onset, an end and a chord")
            continue
        num_wrong = len(wrong)
        onset_s, end_s = (_seconds(word, line, wrong) for word in words[:2])
        if len(wrong) == num_wrong:
            chords.append((line, onset_s, end_s, words[2]))
            if end_s <= onset_s:
                wrong.append(f"line {line}: from {onset_s} to {end_s} s, expected an end after the onset")
    for (_, _, end_s, _), (line, onset_s, _, _) in pairwise(chords):
        if onset_s < end_s - OVERLAP_S:
            wrong.append(f"line {line}: begins at {onset_s} s, before the end of the last chord at {end_s} s")
    if not chords and not wrong:
        wrong.append("0 chords, expected at least 1")
    tell_faults(path, wrong, MEND)
    return [(onset_s, end_s, label) for _, onset_s, end_s, label in chords]


def _lines(path: Path, advice: str) -> Iterator[tuple[int, list[str]]]:
    """Number and words of each line that is not blank."""
    try:
        text = read_bytes(path, MAX_BYTES, advice).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise KellyError(f"{path}: not a text in UTF-8 ({error}); {advice}") from error
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        if words := line.split():
            yield number, words


def _number(word: str) -> float:
    """NaN where it is no finite number."""
    number = float(word) if NUMBER.fullmatch(word) else math.nan
    return number if math.isfinite(number) else math.nan


def _seconds(word: str, line: int, wrong: list[str]) -> float:
    number = _number(word)
    if math.isnan(number):
        wrong.append(f"line {line}: {shown(word)}, expected a time in seconds")
    return number
