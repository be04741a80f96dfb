"""Scores of music21 are read as music21 reads them; what is not a four-part chorale or a tune is rejected."""

from pathlib import Path

import music21
import numpy as np
import pytest
from numpy.typing import NDArray

from kelly.runtime.errors import KellyError
from kelly.sources.readers import musicxml, scores

JIG = """X:1
T:A jig
M:6/8
L:1/8
K:G
D|GAG BAB|d3 {e}dBd|"Em"e2d- dBA|(3BAG .A2 G:|
|:D|[GB]AG z2G|FED DEF|G>A G/2A/2 B2 c|GAB G3|]
"""


def tune(text: str) -> scores.Piece:
    return scores.read_tune("jig", "airdsAirs", text)


def test_a_tune_is_read_with_pickup_tuplets_broken_rhythm_and_ties() -> None:
    piece = tune(JIG)
    assert piece.beat == 1.5
    # A pickup, then whole bars: the fourth was split by the repeat sign and is whole again.
    np.testing.assert_allclose(np.diff(piece.bars), [0.5] + 8 * [3.0])
    onsets, pitches = piece.melody[:, 0].tolist(), piece.melody[:, 2].tolist()
    assert pitches[:8] == [62, 67, 69, 67, 71, 69, 71, 74]  # D, then GAG BAB, then d3 without its grace note
    assert pitches[8:12] == [74, 71, 74, 76]
    tied = piece.melody[12]
    assert (tied[1] - tied[0], tied[2]) == (1.0, 74)  # d- d is one note
    np.testing.assert_allclose(np.diff(onsets[15:18]), [1 / 3, 1 / 3])  # a triplet of eighths
    assert pitches[19:23] == [67, 62, 71, 69]  # the upper note of [GB]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (JIG.replace("M:6/8\n", ""), "no time signature"),
        ("X:1\nM:6/8\nL:1/8\nK:G\nGAB|\n", "1 bars and 3 notes, expected at least 2 and 8"),
    ],
)
def test_an_unusable_tune_is_rejected_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(KellyError, match=reason):
        tune(text)


def test_a_chorale_has_its_four_voices_where_instruments_double_them() -> None:
    piece = scores.read_chorale("bwv1.6", "bach", str(scores.FOLDER / "bach" / "bwv1.6.mxl"))  # Horn 2 stands first
    assert (len(piece.melody), len(piece.others)) == (70, 89 + 93 + 93 - 1)  # one tie
    assert 70 < np.average(piece.melody[:, 2]) < 72
    assert piece.bars[:3].tolist() == [0.0, 1.0, 5.0]


def voices_by_music21(path: Path) -> NDArray[np.float64]:
    """Onset, end and highest pitch of the notes of the four voices, ties joined, as music21 builds them."""
    notes = []
    for part in music21.converter.parse(path, forceSource=True).parts:
        if part.partName in musicxml.VOICES:
            played = (note for note in part.stripTies().flatten().notes if not note.duration.isGrace)
            notes += [(n.offset, n.offset + n.quarterLength, max(p.midi for p in n.pitches)) for n in played]
    return np.array(sorted(notes), dtype=np.float64)


def voices(piece: scores.Piece) -> NDArray[np.float64]:
    return np.array(sorted([*piece.melody.tolist(), *piece.others.tolist()]))


@pytest.mark.parametrize("name", ["bwv66.6", "bwv299", "bwv10.7"])  # a pickup, grace notes, ties over the bar line
def test_a_chorale_is_read_as_music21_reads_it(name: str) -> None:
    path = scores.FOLDER / "bach" / f"{name}.mxl"
    piece = scores.read_chorale(name, "bach", str(path))
    np.testing.assert_array_equal(voices(piece), voices_by_music21(path))


def test_chords_triplets_and_a_second_voice_in_a_part_are_read_as_music21_reads_them(tmp_path: Path) -> None:
    def note(step: str, duration: int, inside: str = "") -> str:
        return f"<note>{inside}<pitch><step>{step}</step><alter>-1</alter><octave>5</octave></pitch>" \
               f"<duration>{duration}</duration><voice>1</voice></note>"  # fmt: skip

    triplet = note("C", 1) + note("D", 1) + note("E", 1)
    bar = f"<measure>{{}}{triplet}{note('C', 6)}{note('G', 6, '<chord/>')}{note('A', 3)}</measure>"
    second = f"<backup><duration>6</duration></backup>{note('F', 2)}"
    start = "<attributes><divisions>3</divisions><time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
    bars = bar.format(start) + bar.format("").replace("</measure>", f"{second}</measure>") + bar.format("")
    listed = "".join(f'<score-part id="{v}"><part-name>{v}</part-name></score-part>' for v in musicxml.VOICES)
    parts = "".join(f'<part id="{v}">{bars}</part>' for v in musicxml.VOICES)
    path = tmp_path / "made.xml"
    path.write_text(f"<score-partwise><part-list>{listed}</part-list>{parts}</score-partwise>")
    piece = scores.read_chorale("made", "bach", str(path))
    assert piece.bars.tolist() == [0.0, 4.0, 8.0, 12.0]
    assert piece.beat == 1.0
    np.testing.assert_allclose(voices(piece), voices_by_music21(path), atol=1e-12)


def test_a_score_that_is_not_a_four_part_chorale_is_rejected() -> None:
    with pytest.raises(KellyError, match="Piano"):
        scores.read_chorale("bwv846", "bach", str(scores.FOLDER / "bach" / "bwv846.mxl"))


@pytest.mark.parametrize("collections", [["essenFolksong"], ["bach", "palestrina"], []])
def test_other_collections_are_rejected(collections: list[str]) -> None:
    with pytest.raises(KellyError, match="ryansMammoth"):
        scores.read_pieces(collections, None, 0.5)


def test_unreadable_scores_are_listed_and_too_many_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    good = [(scores.read_tune, "good", "airdsAirs", JIG)]
    bad = [(scores.read_tune, "bad", "airdsAirs", JIG.replace("M:6/8\n", ""))]
    monkeypatch.setattr(scores, "_jobs", lambda *_: good + bad)
    pieces, skipped = scores.read_pieces(["airdsAirs"], None, 0.5, num_workers=1)
    assert [piece.name for piece in pieces] == ["good"]
    ((file, reason),) = [skip.values() for skip in skipped]
    assert file == "bad"
    assert "no time signature" in reason
    monkeypatch.setattr(scores, "_jobs", lambda *_: good + 2 * bad)
    with pytest.raises(KellyError, match=r"2 of 3 files(.|\n)* bad: .*no time signature"):
        scores.read_pieces(["airdsAirs"], None, 0.5, num_workers=1)
