"""Reads tunes of one voice in ABC notation: notes, bars and metre, by the standard 2.1 (abcnotation.com, 2011).

Repeats are not expanded. Grace notes, words, decorations and `x`, which carries decorations, are ignored. An accidental
is valid for its pitch, in all octaves, to the end of the bar (section 11.3); the transcribers rely on it where they
cancel one. music21 differs: it treats accidentals otherwise in tunes without a version, drops notes with a fermata and
misses a dotted rhythm next to a slur. The result differs in a fifth of the 4,248 tunes that it includes.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from typing import NamedTuple

from kelly.runtime.errors import KellyError
from kelly.sources.readers.notation import SEMITONES, Voice, append

NOTE = r"(?P<{0}accidental>\^{{1,2}}|_{{1,2}}|=)?(?P<{0}letter>[A-Ga-gz])(?P<{0}octave>[,']*)(?P<{0}length>\d*/*\d*)"
INNER = re.compile(NOTE.format("inner_"))
TOKEN = re.compile(
    rf"""
      (?P<ignored> %.* | "[^"]*" | ![^!\s|]*! | \{{[^}}]*\}} )
    | (?P<field> ^[A-Za-z]:(?![|:]).* | \[[A-Za-z]:[^\]\n]*\] )
    | (?P<bar> \[?[|:]+\]? | \[(?=\d) )
    | (?P<chord> [\[+](?P<inner>[^\]+|:\[]+)[\]+](?P<outer_length>\d*/*\d*) )
    | (?P<tuplet> \((?P<p>[2-9])(?::(?P<q>\d?))?(?::(?P<r>\d?))? )
    | (?P<broken> >+ | <+ )
    | (?P<tie> - )
    | (?P<note> {NOTE.format("")} )
    """,
    re.VERBOSE | re.MULTILINE,
)
KEY = re.compile(r"(?P<tonic>[A-G])(?P<sign>[#b]?)\s*(?P<mode>[A-Za-z]*)(?P<extra>(?:\s*[\^_=][A-Ga-g])*)")

ALTERED = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}
# In the order in which keys add them; flats come the other way round. The major key of a letter has index − 1 sharps.
SHARPS = "FCGDAEB"
# Additional sharps relative to major, by the first letters of a mode in lower case (section 3.1.14).
MODES = {"": 0, "maj": 0, "ion": 0, "mix": -1, "dor": -2, "m": -3, "min": -3, "aeo": -3, "phr": -4, "loc": -5, "lyd": 1}
# A tuplet `(p:q:r` puts p notes in the time of q, for the next r (section 4.13); without q it is this, or for other p
# 2, or 3 in compound metres.
IN_TIME_OF = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
COMPOUND = (6, 9, 12)  # numerators of compound metres


class Tune(NamedTuple):
    """A tune; times are in quarter notes from its start."""

    notes: Voice  # by onset, the highest of each chord, ties joined
    bars: list[float]  # bar lines, including the end; the first bar may be a pickup
    metre: tuple[int, int]  # numerator and denominator of the first time signature


@dataclass(slots=True)
class Event:
    """A note, the highest of a chord, or a rest (pitch None), with its length in quarter notes."""

    written: tuple[str, str]  # letter and octave marks
    pitch: int | None
    length: float
    is_tied: bool = False  # to the next one


@dataclass(slots=True)
class _Parser:
    """State of the parser at its position in a tune, and the events so far."""

    metre: tuple[int, int] | None = None
    first_metre: tuple[int, int] | None = None
    unit: float | None = None  # length of a note without a number, in quarter notes
    key: dict[str, int] = field(default_factory=dict)  # semitones by letter
    accidentals: dict[str, int] = field(default_factory=dict)  # the same, in this bar
    voices: set[str] = field(default_factory=set)
    tuplet_notes: int = 0  # that remain
    tuplet: float = 1.0  # factor of their lengths
    broken: float = 1.0  # factor of the next note's length, from a broken rhythm
    events: list[Event] = field(default_factory=list)
    bar_ends: list[int] = field(default_factory=list)  # number of events before each

    def read_field(self, name: str, value: str) -> None:
        """Apply a field of the header or within the tune."""
        value = value.partition("%")[0].strip()
        if name == "M":
            self.metre = metre_of(value)
            self.first_metre = self.first_metre or self.metre
        elif name == "L":
            self.unit = unit_of(value)
        elif name == "K":
            self.key, self.accidentals = key_of(value), {}
        elif name == "V":
            self.voices.add(value.partition(" ")[0])

    def pitch_of(self, accidental: str | None, letter: str, octave: str) -> int | None:
        """MIDI pitch of a written note; None for a rest."""
        if letter == "z":
            return None
        step = letter.upper()
        if accidental:
            self.accidentals[step] = ALTERED[accidental]
        last = self.events[-1] if self.events else None
        if last and last.is_tied and last.written == (letter, octave) and not accidental:
            return last.pitch  # a tie carries an accidental over the bar line
        octaves = 5 + letter.islower() + octave.count("'") - octave.count(",")
        return 12 * octaves + SEMITONES[step] + self.accidentals.get(step, self.key.get(step, 0))

    def add(self, written: tuple[str, str], pitch: int | None, units: float) -> None:
        """Add a note or rest of some units, scaled by tuplet and broken rhythm."""
        if self.unit is None:
            self.unit = 0.25 if self.metre and self.metre[0] / self.metre[1] < 0.75 else 0.5  # section 3.1.7
        tuplet = self.tuplet if self.tuplet_notes else 1.0
        self.events.append(Event(written, pitch, self.unit * units * self.broken * tuplet))
        self.tuplet_notes, self.broken = max(0, self.tuplet_notes - 1), 1.0

    def add_chord(self, inner: str, outer_length: str) -> None:
        """Add the highest note of a chord, or a rest if it has none, with the length of its first note."""
        notes = INNER.findall(inner)
        pitches = [self.pitch_of(accidental, letter, octave) for accidental, letter, octave, _ in notes]
        highest = max((pitch for pitch in pitches if pitch is not None), default=None)
        if notes:
            _, letter, octave, _ = notes[pitches.index(highest)]
            self.add((letter, octave), highest, units(notes[0][3]) * units(outer_length))


def read(text: str) -> Tune:
    """Read one tune. Raises KellyError if it has several voices, no metre, or an unknown metre, key or unit."""
    parser = _Parser()
    for token in TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "note":
            accidental, letter, octave, length = token.group("accidental", "letter", "octave", "length")
            parser.add((letter, octave), parser.pitch_of(accidental, letter, octave), units(length))
        elif kind == "bar":
            parser.accidentals = {}
            parser.bar_ends.append(len(parser.events))
        elif kind == "field":
            name, _, value = token["field"].strip("[]").partition(":")
            parser.read_field(name, value)
        elif kind == "chord":
            parser.add_chord(token["inner"], token["outer_length"])
        elif kind == "tuplet":
            p, is_compound = int(token["p"]), parser.metre is not None and parser.metre[0] in COMPOUND
            q = int(token["q"] or IN_TIME_OF.get(p, 3 if is_compound else 2))
            parser.tuplet, parser.tuplet_notes = q / p, int(token["r"] or p)
        elif kind == "broken" and parser.events:
            short = 0.5 ** len(token["broken"])
            last, parser.broken = (2 - short, short) if token["broken"][0] == ">" else (short, 2 - short)
            parser.events[-1].length *= last
        elif kind == "tie" and parser.events:
            parser.events[-1].is_tied = True
    if len(parser.voices) > 1:
        raise KellyError(f"several voices ({', '.join(sorted(parser.voices))}), expected one")
    if parser.first_metre is None:
        raise KellyError("no time signature, expected a field such as M:6/8")
    times = list(accumulate((event.length for event in parser.events), initial=0.0))
    notes: Voice = []
    is_tied = False
    for onset, event in zip(times, parser.events, strict=False):
        if event.pitch is not None:
            append(notes, onset, event.length, event.pitch, is_tied)
        is_tied = event.is_tied
    bars = sorted({0.0, times[-1], *(times[bar_end] for bar_end in parser.bar_ends)})
    return Tune(notes, bars, parser.first_metre)


@cache
def units(length: str) -> float:
    """Number of units of a written length: `3`, `3/2`, `/`, `//`."""
    numerator, _, rest = length.partition("/")
    divided = int(rest.strip("/")) if rest.strip("/") else 2 ** length.count("/")
    return int(numerator or 1) / divided


def unit_of(value: str) -> float:
    """Quarter notes of a unit note length such as `1/8`."""
    match = re.match(r"(\d+)\s*/\s*([1-9]\d*)", value)
    if not match:
        raise KellyError(f"unit note length {value!r}, expected one such as 1/8")
    return 4.0 * int(match[1]) / int(match[2])


def metre_of(value: str) -> tuple[int, int] | None:
    """Numerator and denominator of a time signature; None for an explicit none."""
    if value.lower() in ("none", ""):
        return None
    match = re.search(r"([1-9]\d*)\s*/\s*([1-9]\d*)", {"C": "4/4", "C|": "2/2"}.get(value, value))
    if not match:
        raise KellyError(f"time signature {value!r}, expected one such as 6/8, C or C|")
    return int(match[1]), int(match[2])


def key_of(value: str) -> dict[str, int]:
    """Semitones by which a key alters letters, from its mode and its additional accidentals, as in `Dmix=c`."""
    if value == "Hp":  # the Highland pipes' scale
        return {"F": 1, "C": 1}
    if value.lower() in ("none", "", "hp"):
        return {}
    match = KEY.match(value)
    if not match:
        raise KellyError(f"key {value!r}, expected one such as G, F#m or D Mixolydian")
    mode = match["mode"].lower()
    more = MODES.get(mode[:3], MODES.get(mode[:1], 0))
    sharps = SHARPS.index(match["tonic"]) - 1 + {"#": 7, "b": -7, "": 0}[match["sign"]] + more
    key = dict.fromkeys(SHARPS[:sharps], 1) if sharps >= 0 else dict.fromkeys(SHARPS[sharps:], -1)
    return key | {letter.upper(): ALTERED[sign] for sign, letter in re.findall(r"([\^_=])([A-Ga-g])", match["extra"])}
