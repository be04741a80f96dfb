"""Reads the scores that music21 carries: Bach's four-part chorales and three collections of traditional tunes."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import joblib
import music21
import numpy as np
from music21 import abcFormat, converter
from numpy.typing import NDArray
from tqdm import tqdm

from kelly.datasets.skipped import Skipped, check_skipped
from kelly.errors import KellyError

# Only these: other folders of music21's corpus carry licences of their own (essenFolksong, palestrina, leadSheet …).
CHORALES = "bach"
COLLECTIONS = (CHORALES, "ryansMammoth", "oneills1850", "airdsAirs")
FOLDER = Path(music21.__file__).parent / "corpus"
VOICES = ("Soprano", "Alto", "Tenor", "Bass")
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

Notes = list[tuple[float, float, int]]  # onset and end in quarter notes, MIDI pitch


@dataclass(frozen=True)
class Piece:
    """One score, without repeats played out. Times are in quarter notes from its start.

    melody: float64[n, 3], onset, end and MIDI pitch of the tune or soprano, by onset, ties joined, no grace notes
    others: float64[m, 3], the same of the other voices
    bars: float64[num_bars + 1], where bars begin, and the end
    beat: quarter notes a beat of the first time signature (1.5 in 6/8, 2 in alla breve)
    """

    name: str
    collection: str
    melody: NDArray[np.float64]
    others: NDArray[np.float64]
    bars: NDArray[np.float64]
    beat: float

    @property
    def notes(self) -> NDArray[np.float64]:
        """All voices, melody first: float64[n + m, 3]."""
        return np.concatenate([self.melody, self.others])


def read_pieces(
    collections: Sequence[str], max_pieces: int | None, max_skipped_share: float, num_workers: int | None = None
) -> tuple[list[Piece], list[Skipped]]:
    """Read `collections` (of COLLECTIONS), at most the first `max_pieces` scores of each.

    num_workers: processes; None: as joblib is set.

    Returns the pieces in the order of collections, file names and numbers, and the skipped files with reasons. Raises
    KellyError for any other collection, and where more than `max_skipped_share` (0..1) of the scores cannot be read.
    """
    unknown = [name for name in collections if name not in COLLECTIONS]
    if unknown or not collections:
        raise KellyError(f"collections: found {list(collections)}, expected some of {list(COLLECTIONS)}: "
                         "only these may be used freely; correct `collections`")  # fmt: skip
    jobs = [job for name in dict.fromkeys(collections) for job in _jobs(name, max_pieces)]
    results = joblib.Parallel(n_jobs=num_workers, return_as="generator", batch_size=16)(
        joblib.delayed(_attempt)(*job) for job in jobs
    )
    read = list(tqdm(results, total=len(jobs), desc="scores", unit="score", disable=None))
    pieces = [result for result in read if isinstance(result, Piece)]
    skipped = [result for result in read if isinstance(result, dict)]
    check_skipped("music21's scores", skipped, len(jobs), max_skipped_share)
    return pieces, skipped


def _jobs(collection: str, max_pieces: int | None) -> list[tuple[Callable[..., Piece], str, str, str]]:
    """Every score of a collection as (reader, name, collection, path or text)."""
    if collection == CHORALES:
        # The .krn files repeat three of the .mxl, and choraleAnalyses holds no scores.
        paths = sorted(path for path in (FOLDER / CHORALES).iterdir() if path.suffix in (".mxl", ".xml"))
        return [(read_chorale, f"{CHORALES}/{path.name}", collection, str(path)) for path in paths][:max_pieces]
    tunes = []
    for path in sorted((FOLDER / collection).glob("*.abc")):
        text = path.read_text(encoding="utf-8", errors="replace")
        for tune in re.split(r"^(?=X:)", text, flags=re.MULTILINE)[1:]:  # a book of tunes: each begins with its number
            number = tune.partition("\n")[0][2:].strip()
            tunes.append((read_tune, f"{collection}/{path.name}#{number}", collection, tune))
    return tunes[:max_pieces]


def _attempt(reader: Callable[..., Piece], name: str, collection: str, source: str) -> Piece | dict[str, str]:
    try:
        return reader(name, collection, source)
    except Exception as error:  # music21 raises whatever a broken score leads it to
        return {"file": name, "reason": str(error) or type(error).__name__}


def read_chorale(name: str, collection: str, path: str) -> Piece:
    """Read one chorale from MusicXML; raises KellyError where it does not have the four VOICES, one part each.

    Reads the elements that tell notes and bars; music21, which builds all that is engraved, takes seven times as long.
    """
    archive = converter.ArchiveManager(path)
    text = archive.getData() if archive.isArchive() else Path(path).read_text(encoding="utf-8")
    score = ElementTree.fromstring(text)  # noqa: S314 - a file that is part of music21
    names = {part.get("id"): part.findtext("part-name", "") for part in score.iterfind("part-list/score-part")}
    by_name = [(names[part.get("id")], part) for part in score.iterfind("part")]
    parts = {voice: [part for name, part in by_name if name.split()[:1] == [voice]] for voice in VOICES}
    if any(len(found) != 1 for found in parts.values()):
        # One for each of its staves.
        found_names = [name for name, part in by_name for _ in range(int(part.findtext(".//staves", "1")))]
        raise KellyError(f"its parts are {found_names}, expected one each of {list(VOICES)}")
    voices = [_notes_and_bars(parts[voice][0]) for voice in VOICES]
    beats, unit = (parts["Soprano"][0].findtext(f"measure/attributes/time/{tag}") for tag in ("beats", "beat-type"))
    others = [note for notes, _ in voices[1:] for note in notes]
    return _piece(name, collection, voices[0][0], others, voices[0][1], _beat(f"{beats}/{unit}"))


def _notes_and_bars(part: Element) -> tuple[Notes, list[float]]:
    """The notes of one part of MusicXML, of a chord the highest, and where its bars begin, and the end."""
    notes: Notes = []
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
                    tied = any(tie.get("type") == "stop" for tie in event.iterfind("tie"))
                    _append(notes, bars[-1] + onset / divisions, length / divisions, key, tied)
            elif event.tag in ("backup", "forward"):
                now += length if event.tag == "forward" else -length
        bars.append(bars[-1] + end / divisions)
    return notes, bars


def _midi_pitch(pitch: Element) -> int:
    step, alter, octave = (pitch.findtext(tag, "0") for tag in ("step", "alter", "octave"))
    return 12 * (int(octave) + 1) + SEMITONES[step] + int(alter)


def read_tune(name: str, collection: str, text: str) -> Piece:
    """Read one tune of one voice from ABC; raises KellyError where it has several voices, no bars or no notes.

    Uses music21's reading of ABC tokens without building its streams, which takes a tenth of the time.
    """
    handler = abcFormat.ABCHandler()
    handler.process(text)
    if (
        len({token.data for token in handler.tokens if isinstance(token, abcFormat.ABCMetadata) and token.isVoice()})
        > 1
    ):
        raise KellyError("it has several voices, expected one")
    meters = [t for t in handler.tokens if isinstance(t, abcFormat.ABCMetadata) and t.isMeter()]
    metre = meters[0].getTimeSignatureParameters() if meters else None
    if metre is None:
        raise KellyError("it states no time signature, so its beat is unknown")
    notes: Notes = []
    time, bars, open_tie = 0.0, [0.0], False
    for bar in handler.splitByMeasure():
        for token in bar.tokens:
            if not isinstance(token, abcFormat.ABCNote) or token.inGrace:
                continue
            length = float(token.quarterLength)
            if token.activeTuplet is not None:
                length *= float(token.activeTuplet.tupletMultiplier())
            names = [
                sub.pitchName for sub in getattr(token, "subTokens", [token]) if isinstance(sub, abcFormat.ABCNote)
            ]
            pitches = [_midi_of(name) for name in names if name is not None]
            if pitches and not token.isRest:
                _append(notes, time, length, max(pitches), open_tie)
            open_tie = token.tie in ("start", "continue")
            time += length
        if time > bars[-1]:
            bars.append(time)
    return _piece(name, collection, notes, [], bars, _beat(f"{metre[0]}/{metre[1]}"))


@cache
def _beat(time_signature: str) -> float:
    """Quarter notes a beat."""
    return float(music21.meter.TimeSignature(time_signature).beatDuration.quarterLength)


@cache
def _midi_of(name: str) -> int:
    return int(music21.pitch.Pitch(name).midi)


def _append(notes: Notes, onset: float, length: float, pitch: int, tied: bool) -> None:
    """Append a note to one voice, or lengthen the last one where a tie joins them."""
    if tied and notes and notes[-1][2] == pitch and abs(notes[-1][1] - onset) < 1e-6:
        notes[-1] = (notes[-1][0], onset + length, pitch)
    else:
        notes.append((onset, onset + length, pitch))


def _piece(name: str, collection: str, melody: Notes, others: Notes, bars: Iterable[float], beat: float) -> Piece:
    edges = _join_split_bars(list(bars))
    if len(edges) < 3 or len(melody) < 8:
        raise KellyError(f"it has {len(edges) - 1} bars and {len(melody)} notes, expected at least 2 and 8")
    as_array = [np.array(sorted(notes), dtype=np.float64).reshape(-1, 3) for notes in (melody, others)]
    return Piece(name, collection, as_array[0], as_array[1], np.array(edges), beat)


def _join_split_bars(edges: list[float]) -> list[float]:
    """Join neighbours that a repeat sign inside a bar has split: both shorter than the usual bar, together as long."""
    usual = Counter(round(end - start, 3) for start, end in pairwise(edges)).most_common(1)[0][0]
    joined = edges[:1]
    for edge, following in pairwise([*edges[1:], np.inf]):
        if edge - joined[-1] < usual - 1e-3 and abs(following - joined[-1] - usual) < 2e-3:
            continue
        joined.append(edge)
    return joined
