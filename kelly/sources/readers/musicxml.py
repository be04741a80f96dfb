"""Reads four-part chorales from MusicXML: of each voice its notes and bars."""

import zipfile
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from kelly.runtime.errors import KellyError
from kelly.sources.readers.notation import SEMITONES, Voice, append

VOICES = ("Soprano", "Alto", "Tenor", "Bass")
LISTED = "META-INF/container.xml"  # in a compressed file: which of its files is the score


def read(path: Path) -> tuple[list[Voice], list[float], tuple[int, int]]:
    """Read the notes of the four VOICES, the bars of the first, and the metre that it begins in.

    Raises KellyError where there is not one part each. Reads the elements that tell notes and bars; music21, which
    builds all that is engraved, takes seven times as long.
    """
    score = _score(path)
    names = {part.get("id"): part.findtext("part-name", "") for part in score.iterfind("part-list/score-part")}
    by_name = [(names[part.get("id")], part) for part in score.iterfind("part")]
    parts = {voice: [part for name, part in by_name if name.split()[:1] == [voice]] for voice in VOICES}
    if any(len(found) != 1 for found in parts.values()):
        # One for each of its staves.
        found_names = [name for name, part in by_name for _ in range(int(part.findtext(".//staves", "1")))]
        raise KellyError(f"its parts are {found_names}, expected one each of {list(VOICES)}")
    voices = [_notes_and_bars(parts[voice][0]) for voice in VOICES]
    beats, unit = (
        int(parts[VOICES[0]][0].findtext(f"measure/attributes/time/{tag}", "")) for tag in ("beats", "beat-type")
    )
    return [notes for notes, _ in voices], voices[0][1], (beats, unit)


def _score(path: Path) -> Element:
    """The score of a file, compressed (.mxl) or not."""
    if not zipfile.is_zipfile(path):
        return ElementTree.parse(path).getroot()  # noqa: S314 - a file that is part of music21
    with zipfile.ZipFile(path) as archive:
        listed = ElementTree.fromstring(archive.read(LISTED)).find(".//{*}rootfile")  # noqa: S314 - as above
        if listed is None:
            raise KellyError(f"{LISTED} in it names no score")
        return ElementTree.fromstring(archive.read(listed.get("full-path", "")))  # noqa: S314 - as above


def _notes_and_bars(part: Element) -> tuple[Voice, list[float]]:
    """The notes of one part, of a chord the highest, and where its bars begin, and the end."""
    notes: Voice = []
    bars, divisions = [0.0], 1
    for measure in part.iterfind("measure"):
        divisions = int(measure.findtext("attributes/divisions", str(divisions)))  # of a quarter note
        now = onset = end = 0
        for event in measure:
            length = int(event.findtext("duration", "0"))  # a grace note has none
            if event.tag == "note":
                in_chord = event.find("chord") is not None  # it begins with the note before
                onset, now = (onset, now) if in_chord else (now, now + length)
                end = max(end, now)
                pitch = event.find("pitch")
                if pitch is None or event.find("grace") is not None:
                    continue
                key = _midi_pitch(pitch)
                if in_chord:
                    notes[-1] = (*notes[-1][:2], max(notes[-1][2], key))
                else:
                    is_tied = any(tie.get("type") == "stop" for tie in event.iterfind("tie"))
                    append(notes, bars[-1] + onset / divisions, length / divisions, key, is_tied)
            elif event.tag in ("backup", "forward"):
                now += length if event.tag == "forward" else -length
        bars.append(bars[-1] + end / divisions)
    return notes, bars


def _midi_pitch(pitch: Element) -> int:
    step, alter, octave = (pitch.findtext(tag, "0") for tag in ("step", "alter", "octave"))
    return 12 * (int(octave) + 1) + SEMITONES[step] + int(alter)
