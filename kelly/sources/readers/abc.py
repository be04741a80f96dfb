"""Reads tunes of one voice in ABC notation: notes, bars and metre, after its standard 2.1 (abcnotation.com, 2011).

Repeats are not played out. Passed over are grace notes, words, decorations and `x`, on which transcribers hang them. An
accidental holds for its pitch, in all octaves, to the end of the bar (section 11.3): those who wrote the tunes down
rely on it where they cancel one. music21 has it otherwise for tunes that name no version, drops notes that have a
fermata, and misses a dotted rhythm beside a slur: its reading differs in a fifth of the 4,248 tunes that it carries.
"""

import re
from dataclasses import dataclass, field
from functools import cache

from kelly.runtime.errors import KellyError
from kelly.sources.readers.notation import SEMITONES, Voice, append

NOTE = r"(?P<{0}accidental>\^{{1,2}}|_{{1,2}}|=)?(?P<{0}letter>[A-Ga-gz])(?P<{0}octave>[,']*)(?P<{0}length>\d*/*\d*)"
INNER = re.compile(NOTE.format("inner_"))
TOKEN = re.compile(
    rf"""
      (?P<aside> %.* | "[^"]*" | ![^!\s|]*! | \{{[^}}]*\}} )
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
KEY = re.compile(r"(?P<tonic>[A-G])(?P<sign>[#b]?)\s*(?P<mode>[A-Za-z]*)(?P<own>(?:\s*[\^_=][A-Ga-g])*)")

ALTERED = {"^": 1, "^^": 2, "_": -1, "__": -2, "=": 0}
SHARPS = "FCGDAEB"  # in the order in which keys add them; flats come the other way round
MAJOR = {"C": 0, "D": 2, "E": 4, "F": -1, "G": 1, "A": 3, "B": 5}  # sharps of a major key
# Sharps more than major's, by the first letters of a mode, whose case does not count (section 3.1.14).
MODES = {"": 0, "maj": 0, "ion": 0, "mix": -1, "dor": -2, "m": -3, "min": -3, "aeo": -3, "phr": -4, "loc": -5, "lyd": 1}
# How many notes' time a tuplet takes (section 4.13); five, seven and nine take two's, in compound metres three's.
IN_TIME_OF = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
COMPOUND = (6, 9, 12)  # their numerators


@dataclass(frozen=True)
class Tune:
    """What is read of a tune; times in quarter notes from its start.

    notes: of a chord the highest, ties joined, by onset
    bars: where they begin, and the end; the first may be a pickup
    metre: the first time signature's numerator and denominator
    """

    notes: Voice
    bars: list[float]
    metre: tuple[int, int]


@dataclass(slots=True)
class Sound:
    """A note, a chord's highest, or a rest (None), with its length in quarter notes."""

    written: tuple[str, str]  # letter and octave marks
    pitch: int | None
    length: float
    is_tied: bool = False  # to the next


@dataclass(slots=True)
class _Page:
    """What holds at the place in a tune that reading has come to, and what was read."""

    metre: tuple[int, int] | None = None
    first_metre: tuple[int, int] | None = None
    unit: float | None = None  # a note without a length, in quarter notes
    key: dict[str, int] = field(default_factory=dict)  # semitones by letter
    held: dict[str, int] = field(default_factory=dict)  # the same, by accidentals in this bar
    voices: set[str] = field(default_factory=set)
    left_in_tuplet: int = 0
    tuplet: float = 1.0
    broken: float = 1.0  # what a broken rhythm does to the next note
    sounds: list[Sound] = field(default_factory=list)
    bar_ends: list[int] = field(default_factory=list)  # number of sounds before each

    def tell(self, name: str, value: str) -> None:
        """Take a field, of the head or within the tune."""
        value = value.partition("%")[0].strip()
        if name == "M":
            self.metre = metre_of(value)
            self.first_metre = self.first_metre or self.metre
        elif name == "L":
            self.unit = unit_of(value)
        elif name == "K":
            self.key, self.held = key_of(value), {}
        elif name == "V":
            self.voices.add(value.partition(" ")[0])

    def pitch_of(self, accidental: str | None, letter: str, octave: str) -> int | None:
        """The MIDI pitch of a written note; None for a rest."""
        if letter == "z":
            return None
        step = letter.upper()
        if accidental:
            self.held[step] = ALTERED[accidental]
        before = self.sounds[-1] if self.sounds else None
        if before and before.is_tied and before.written == (letter, octave) and not accidental:
            return before.pitch  # a tie carries an accidental over the bar line
        octaves = 5 + letter.islower() + octave.count("'") - octave.count(",")
        return 12 * octaves + SEMITONES[step] + self.held.get(step, self.key.get(step, 0))

    def add(self, written: tuple[str, str], pitch: int | None, units: float) -> None:
        """Add a sound of so many units, as tuplet and broken rhythm have it."""
        if self.unit is None:
            self.unit = 0.25 if self.metre and self.metre[0] / self.metre[1] < 0.75 else 0.5  # section 3.1.7
        if self.left_in_tuplet:
            self.left_in_tuplet -= 1
        else:
            self.tuplet = 1.0
        self.sounds.append(Sound(written, pitch, self.unit * units * self.broken * self.tuplet))
        self.broken = 1.0

    def chord(self, inner: str, outer_length: str) -> None:
        """Add the highest note of a chord, a rest where it has none, as long as its first."""
        found = INNER.findall(inner)
        pitches = [self.pitch_of(accidental, letter, octave) for accidental, letter, octave, _ in found]
        highest = max((pitch for pitch in pitches if pitch is not None), default=None)
        if found:
            _, letter, octave, _ = found[pitches.index(highest)]
            self.add((letter, octave), highest, units(found[0][3]) * units(outer_length))

    def begin_tuplet(self, p: str, q: str | None, r: str | None) -> None:
        """`(p:q:r`: p notes in the time of q, for the next r."""
        is_compound = self.metre is not None and self.metre[0] in COMPOUND
        in_time_of = int(q) if q else IN_TIME_OF.get(int(p), 3 if is_compound else 2)
        self.tuplet, self.left_in_tuplet = in_time_of / int(p), int(r or p)


def read(text: str) -> Tune:
    """Read one tune; raises KellyError where it has several voices or states no metre, key or unit that is known."""
    page = _Page()
    for token in TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "note":
            accidental, letter, octave, length = token.group("accidental", "letter", "octave", "length")
            page.add((letter, octave), page.pitch_of(accidental, letter, octave), units(length))
        elif kind == "bar":
            page.held = {}
            page.bar_ends.append(len(page.sounds))
        elif kind == "field":
            name, _, value = token["field"].strip("[]").partition(":")
            page.tell(name, value)
        elif kind == "chord":
            page.chord(token["inner"], token["outer_length"])
        elif kind == "tuplet":
            page.begin_tuplet(token["p"], token["q"], token["r"])
        elif kind == "broken" and page.sounds:
            share = 0.5 ** len(token["broken"])
            before, page.broken = (2 - share, share) if token["broken"][0] == ">" else (share, 2 - share)
            page.sounds[-1].length *= before
        elif kind == "tie" and page.sounds:
            page.sounds[-1].is_tied = True
    if len(page.voices) > 1:
        raise KellyError(f"it has several voices ({', '.join(sorted(page.voices))}), expected one")
    if page.first_metre is None:
        raise KellyError("it states no time signature, so its beat is unknown")
    return Tune(*_in_time(page), page.first_metre)


def _in_time(page: _Page) -> tuple[Voice, list[float]]:
    """The notes with onset and end, ties joined, and where bars begin."""
    notes: Voice = []
    times, bars, is_tied = [0.0], [0.0], False
    for sound in page.sounds:
        if sound.pitch is not None:
            append(notes, times[-1], sound.length, sound.pitch, is_tied)
        is_tied = sound.is_tied
        times.append(times[-1] + sound.length)
    for at in [*page.bar_ends, len(page.sounds)]:
        if times[at] > bars[-1]:
            bars.append(times[at])
    return notes, bars


@cache
def units(length: str) -> float:
    """How many units a length says: `3`, `3/2`, `/`, `//`."""
    numerator, _, rest = length.partition("/")
    divided = int(rest.strip("/")) if rest.strip("/") else 2 ** length.count("/")
    return int(numerator or 1) / divided


def unit_of(value: str) -> float:
    """Quarter notes of a unit note length, as `1/8`."""
    found = re.match(r"(\d+)\s*/\s*([1-9]\d*)", value)
    if not found:
        raise KellyError(f"its unit note length is {value!r}, expected one as 1/8")
    return 4.0 * int(found[1]) / int(found[2])


def metre_of(value: str) -> tuple[int, int] | None:
    """Numerator and denominator of a time signature; None where it says that there is none."""
    if value.lower() in ("none", ""):
        return None
    found = re.search(r"([1-9]\d*)\s*/\s*([1-9]\d*)", {"C": "4/4", "C|": "2/2"}.get(value, value))
    if not found:
        raise KellyError(f"its time signature is {value!r}, expected one as 6/8, C or C|")
    return int(found[1]), int(found[2])


def key_of(value: str) -> dict[str, int]:
    """Semitones by which a key alters letters: of a mode, and what it adds of its own, as `Dmix=c`."""
    if value == "Hp":  # the Highland pipes' scale
        return {"F": 1, "C": 1}
    found = KEY.match(value)
    if not found:
        if value.lower() in ("none", "", "hp"):
            return {}
        raise KellyError(f"its key is {value!r}, expected one as G, F#m or D Mixolydian")
    mode = found["mode"].lower()
    more = MODES.get(mode[:3], MODES.get(mode[:1], 0))
    sharps = MAJOR[found["tonic"]] + {"#": 7, "b": -7, "": 0}[found["sign"]] + more
    key = dict.fromkeys(SHARPS[:sharps], 1) if sharps >= 0 else dict.fromkeys(SHARPS[sharps:], -1)
    return key | {letter.upper(): ALTERED[sign] for sign, letter in re.findall(r"([\^_=])([A-Ga-g])", found["own"])}
