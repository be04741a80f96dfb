"""Tunes in ABC are read by the standard, and as music21 reads them where it follows the standard."""

import re
from itertools import product

import music21
import numpy as np
import pytest
from numpy.typing import NDArray

from kelly.runtime.errors import KellyError
from kelly.sources.readers import abc, scores
from kelly.sources.readers.notation import beat

HEAD = "X:1\nM:4/4\nL:1/8\nK:{}\n"


def notes(music: str, key: str = "C") -> list[tuple[float, int]]:
    """Length in quarter notes and pitch."""
    return [(round(end - onset, 6), pitch) for onset, end, pitch in abc.read(HEAD.format(key) + music).notes]


def pitches(music: str, key: str = "C") -> list[int]:
    return [pitch for _, pitch in notes(music, key)]


def test_letters_and_octave_marks_are_pitches() -> None:
    assert pitches("C, C c c' B,, b''") == [48, 60, 72, 84, 47, 107]
    assert pitches("A:|\nG::\nE|") == [69, 67, 64]  # a repeat sign after a note makes it no field


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("G", [60, 62, 64, 66, 67, 69, 71]),
        ("Bb", [60, 62, 63, 65, 67, 69, 70]),
        ("F#m", [61, 62, 64, 66, 68, 69, 71]),
        ("D Mixolydian % hexatonic", [60, 62, 64, 66, 67, 69, 71]),
        ("Ador", [60, 62, 64, 66, 67, 69, 71]),
        (" EMin", [60, 62, 64, 66, 67, 69, 71]),
        ("Dmix=f", [60, 62, 64, 65, 67, 69, 71]),
        ("Hp", [61, 62, 64, 66, 67, 69, 71]),
        ("none", [60, 62, 64, 65, 67, 69, 71]),
    ],
)
def test_a_key_alters_letters(key: str, expected: list[int]) -> None:
    assert pitches("C D E F G A B", key) == expected


def test_an_accidental_holds_to_the_end_of_the_bar_in_all_octaves() -> None:
    assert pitches("^F f =f F | F ^^G _A __B", "C") == [66, 78, 77, 65, 65, 69, 68, 69]


def test_a_tie_carries_an_accidental_over_the_bar_line() -> None:
    assert notes("^f4- | f2 f2") == [(3.0, 78), (1.0, 77)]


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        ("A A2 A/ A// A/4 A3/2 A3/", [0.5, 1.0, 0.25, 0.125, 0.125, 0.75, 0.75]),
        ("A<B A>>B A<<B", [0.25, 0.75, 0.875, 0.125, 0.125, 0.875]),
        # A dotted rhythm spans slurs, grace notes and decorations.
        *((dotted, [0.75, 0.25]) for dotted in ("A>B", "(A)>B", "A>{c}B", "(A>)B", 'A>"Am"B', "A> TB")),
    ],
)
def test_lengths_are_parts_of_the_unit_and_dotted_rhythms(music: str, expected: list[float]) -> None:
    assert [length for length, _ in notes(music)] == expected


@pytest.mark.parametrize(("metre", "unit"), [("2/4", 0.25), ("3/4", 0.5), ("6/8", 0.5), ("C|", 0.5)])
def test_the_default_unit_depends_on_the_metre(metre: str, unit: float) -> None:
    assert abc.read(f"M:{metre}\nK:C\nA").notes == [(0.0, unit, 69)]


@pytest.mark.parametrize(
    ("tuplet", "metre", "expected"),
    [
        ("(3ABc d", "4/4", [1 / 3] * 3 + [0.5]),
        ("(3(A{g}B)c d", "4/4", [1 / 3] * 3 + [0.5]),
        ("(2AB c", "6/8", [0.75] * 2 + [0.5]),
        ("(5ABcde f", "4/4", [0.2] * 5 + [0.5]),
        ("(5ABcde f", "6/8", [0.3] * 5 + [0.5]),
        ("(3:2:4ABcd e", "4/4", [1 / 3] * 4 + [0.5]),
        ("(3::2A2B c", "4/4", [2 / 3, 1 / 3, 0.5]),
    ],
)
def test_a_tuplet_scales_its_notes(tuplet: str, metre: str, expected: list[float]) -> None:
    tune = abc.read(f"M:{metre}\nL:1/8\nK:C\n{tuplet}")
    assert [end - onset for onset, end, _ in tune.notes] == pytest.approx(expected)


def test_a_chord_is_its_highest_note_with_the_length_of_its_first() -> None:
    assert notes("[CEG]2 [c2e]/ +E3A3+ [zC]") == [(1.0, 67), (0.5, 76), (1.5, 69), (0.5, 60)]
    assert abc.read(HEAD.format("C") + "A[z2]B").notes == [(0.0, 0.5, 69), (1.5, 2.0, 71)]


def test_annotations_and_grace_notes_are_ignored() -> None:
    music = '%%staffsep 50\n"Am"A !trill!B {cd}TcHd u.e !fermat:a!x y |]% a comment\nw: be a bee\n'
    assert pitches(music) == [69, 71, 72, 74, 76]


def test_bars_end_at_bar_lines_and_fields_can_change_within_a_tune() -> None:
    tune = abc.read("M:6/8\nL:1/8\nK:C\nG|:c3 e3:|1 g6 :|2 [K:G]f6 |]\nM:3/4\nL:1/4\nfff|")
    assert tune.bars == [0.0, 0.5, 3.5, 6.5, 9.5, 12.5]
    assert tune.metre == (6, 8)
    assert [pitch for *_, pitch in tune.notes][-4:] == [78] * 4


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("M:4/4\nL:1/8\nV:1\nV:2\nK:C\nA", r"several voices \(1, 2\)"),
        ("M:4/4\nL:1/8\nK:C\n[V:1]A|\n[V:2]E|", "several voices"),
        ("L:1/8\nK:C\nA", "no time signature"),
        ("M:none\nL:1/8\nK:C\nA", "no time signature"),
        ("M:fast\nL:1/8\nK:C\nA", "time signature 'fast'"),
        ("M:4/4\nL:1/G\nK:C\nA", "unit note length '1/G'"),
        ("M:4/4\nL:1/8\nK:H\nA", "key 'H'"),
    ],
)
def test_an_invalid_tune_is_rejected_with_the_reason(head: str, reason: str) -> None:
    with pytest.raises(KellyError, match=reason):
        abc.read(head)


def by_music21(text: str) -> NDArray[np.float64]:
    """Onset, end and highest pitch of the notes of a tune, ties joined."""
    part = music21.converter.parse(text, format="abc").parts[0].stripTies().flatten()
    played = [n for n in part.notes if not n.duration.isGrace and not isinstance(n, music21.harmony.ChordSymbol)]
    return np.array([(n.offset, n.offset + n.quarterLength, max(p.midi for p in n.pitches)) for n in played], float)


# What music21 reads differently, see kelly/sources/readers/abc.py: accidentals, decorations, dots next to a slur, grace
# notes in a tuplet, changes of key or metre.
NUM_COMPARED = 4  # of each collection
DIFFERENT = re.compile(r"[\^_=]|[H-Vk-y~.!{\"+`-]|[()][<>]|[<>][ ()]|\(\(?[2-9]\(|\[[^\]]*\][<>]|\n[KM]:.*\n.*\n[KM]:")


@pytest.mark.parametrize("collection", ["ryansMammoth", "oneills1850", "airdsAirs"])
def test_tunes_are_read_as_music21_reads_them(collection: str) -> None:
    compared = 0
    for _, name, _, text in scores._jobs(collection, 1200):
        body = text.partition("\nK:")[2].partition("\n")[2]
        if DIFFERENT.search(body) or compared == NUM_COMPARED:
            continue
        compared += 1
        np.testing.assert_allclose(abc.read(text).notes, by_music21(text), atol=1e-6, err_msg=name)
    assert compared == NUM_COMPARED


def test_the_beat_of_a_metre_is_that_of_music21() -> None:
    for numerator, denominator in product(range(1, 16), (2, 4, 8, 16)):
        metre = music21.meter.TimeSignature(f"{numerator}/{denominator}")
        assert beat(numerator, denominator) == metre.beatDuration.quarterLength
