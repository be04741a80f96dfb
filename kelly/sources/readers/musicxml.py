"""Reads the notes and bars of four-part chorales from MusicXML."""

import zipfile
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from kelly.runtime.errors import KellyError
from kelly.sources.readers.notation import SEMITONES, Voice, append

VOICES = ("Soprano", "Alto", "Tenor", "Bass")
CONTAINER = "META-INF/container.xml"  # names the score in a compressed file


def read(path: Path) -> tuple[list[Voice], list[float], tuple[int, int]]:
    """Read the notes of the four VOICES, the bars of the first and its first metre.

    Raises KellyError if there is not exactly one part for each. Only the elements for notes and bars are read; music21,
    which builds the complete score, takes seven times as long.
    """
    score = _score(path)
    names = {part.get("id"): part.findtext("part-name", "") for part in score.iterfind("part-list/score-part")}
    by_name = [(names[part.get("id")], part) for part in score.iterfind("part")]
    parts = {voice: [part for name, part in by_name if name.split()[:1] == [voice]] for voice in VOICES}
    if any(len(same_name) != 1 for same_name in parts.values()):
        # A part is listed once for each of its staves.
        found = [name for name, part in by_name for _ in range(int(part.findtext(".//staves", "1")))]
        raise KellyError(f"found parts {found}, expected exactly one each of {list(VOICES)}")
    voices = [_notes_and_bars(parts[voice][0]) for voice in VOICES]
    beats, unit = (
        int(parts[VOICES[0]][0].findtext(f"measure/attributes/time/{tag}", "")) for tag in ("beats", "beat-type")
    )
    return [notes for notes, _ in voices], voices[0][1], (beats, unit)


def _score(path: Path) -> Element:
    """Root element of a score file, compressed (.mxl) or not."""
    if not zipfile.is_zipfile(path):
        return ElementTree.parse(path).getroot()  # noqa: S314 - a file that is part of music21
    with zipfile.ZipFile(path) as archive:
        rootfile = ElementTree.fromstring(archive.read(CONTAINER)).find(".//{*}rootfile")  # noqa: S314 - as above
        if rootfile is None:
            raise KellyError(f"its {CONTAINER} has no rootfile element, expected one that names the score")
        return ElementTree.fromstring(archive.read(rootfile.get("full-path", "")))  # noqa: S314 - as above


def _notes_and_bars(part: Element) -> tuple[Voice, list[float]]:
    """Notes of one part, the highest of each chord, and its bar lines, including the end."""
    notes: Voice = []
    bars, divisions = [0.0], 1
    for measure in part.iterfind("measure"):
        divisions = int(measure.findtext("attributes/divisions", str(divisions)))  # of a quarter note
        now = onset = end = 0
        for event in measure:
            length = int(event.findtext("duration", "0"))  # a grace note has none
            if event.tag == "note":
                in_chord = event.find("chord") is not None  # it begins with the previous note
                onset, now = (onset, now) if in_chord else (now, now + length)
                end = max(end, now)
                pitch = event.find("pitch")
                if pitch is None or event.find("grace") is not None:
                    continue
                step, alter, octave = (pitch.findtext(tag, "0") for tag in ("step", "alter", "octave"))
                key = 12 * (int(octave) + 1) + SEMITONES[step] + int(alter)
                if in_chord:
                    notes[-1] = (*notes[-1][:2], max(notes[-1][2], key))
                else:
                    is_tied = any(tie.get("type") == "stop" for tie in event.iterfind("tie"))
                    append(notes, bars[-1] + onset / divisions, length / divisions, key, is_tied)
            elif event.tag in ("backup", "forward"):
                now += length if event.tag == "forward" else -length
        bars.append(bars[-1] + end / divisions)
    return notes, bars
