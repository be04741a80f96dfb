from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import music21
import numpy as np
import pytest
from numpy.typing import NDArray

from kelly.features.emotion import COORDINATES, EMBEDDING_SIZE, decode
from kelly.runtime.errors import KellyError
from kelly.sources import corpus
from kelly.sources.layouts.listing import Entry
from kelly.sources.music.chords import CHORDS
from kelly.sources.music.listening import Windows, heard_in
from kelly.sources.music.metre import beat_edges
from kelly.sources.music.piece import MEDIAN_PITCH, Music, sounding_pitches
from kelly.sources.readers import musicxml, scores
from kelly.sources.readers.midi import Notes

JIG = """X:1
T:A jig
M:6/8
L:1/8
K:G
D|GAG BAB|d3 {e}dBd|"Em"e2d- dBA|(3BAG .A2 G:|
|:D|[GB]AG z2G|FED DEF|G>A G/2A/2 B2 c|GAB G3|]
"""


def bars_of(*bars: Sequence[float]) -> scores.Piece:
    """A piece in 4/4 of the pitches in each bar, evenly spread."""
    notes = [
        (4 * bar + 4 * i / len(pitches), 4 * bar + 4 * (i + 1) / len(pitches), pitch)
        for bar, pitches in enumerate(bars)
        for i, pitch in enumerate(pitches)
    ]
    edges = np.arange(len(bars) + 1, dtype=np.float64) * 4
    return scores.Piece("made", "bach", np.array(notes, dtype=float), np.zeros((0, 3)), edges, beat=1.0)


ENTRY = Entry("made", Path("made"))


def music_of(piece: scores.Piece) -> Music:
    return corpus.music_of(ENTRY, piece)


def heard(music: Music) -> NDArray[np.float64]:
    return heard_in(ENTRY, music.notes, music.is_melody, Windows(music.bars_s, music.bpm, music.groove))


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
        (JIG.replace("K:G\n", "V:1\nV:2\nK:G\n"), "several voices"),
        ("X:1\nM:6/8\nL:1/8\nK:G\nGAB|\n", "1 bars and 3 notes, expected at least 2 and 8"),
    ],
)
def test_a_tune_that_cannot_be_used_says_why(text: str, reason: str) -> None:
    with pytest.raises(KellyError, match=reason):
        tune(text)


def test_a_chorale_has_its_four_voices_where_instruments_double_them() -> None:
    piece = scores.read_chorale("bwv1.6", "bach", str(scores.FOLDER / "bach" / "bwv1.6.mxl"))  # Horn 2 stands first
    assert (len(piece.melody), len(piece.others)) == (70, 89 + 93 + 93 - 1)  # one tie
    assert 70 < np.average(piece.melody[:, 2]) < 72
    assert piece.bars[:3].tolist() == [0.0, 1.0, 5.0]


def voices_by_music21(path: Path) -> list[tuple[float, float, int]]:
    """Onset, end and highest pitch of the notes of the four voices, ties joined, as music21 builds them."""
    found = []
    for part in music21.converter.parse(path, forceSource=True).parts:
        if part.partName in musicxml.VOICES:
            notes = [note for note in part.stripTies().flatten().notes if not note.duration.isGrace]
            found += [
                (float(n.offset), float(n.offset + n.quarterLength), max(p.midi for p in n.pitches)) for n in notes
            ]
    return sorted(found)


@pytest.mark.parametrize("name", ["bwv66.6", "bwv299", "bwv10.7"])  # a pickup, grace notes, ties over the bar line
def test_a_chorale_is_read_as_music21_reads_it(name: str) -> None:
    path = scores.FOLDER / "bach" / f"{name}.mxl"
    piece = scores.read_chorale(name, "bach", str(path))
    np.testing.assert_array_equal(sorted(piece.notes.tolist()), voices_by_music21(path))


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
    np.testing.assert_allclose(sorted(piece.notes.tolist()), voices_by_music21(path), atol=1e-12)


def test_what_is_no_four_part_chorale_is_refused() -> None:
    with pytest.raises(KellyError, match=r"its parts are \['Piano', 'Piano'\], expected one each of"):
        scores.read_chorale("bwv846", "bach", str(scores.FOLDER / "bach" / "bwv846.mxl"))


@pytest.mark.parametrize("collections", [["essenFolksong"], ["bach", "palestrina"], []])
def test_only_the_listed_collections_are_read(collections: list[str]) -> None:
    with pytest.raises(KellyError, match=r"expected some of \['bach', 'ryansMammoth', 'oneills1850', 'airdsAirs'\]"):
        corpus.melody(collections, num_frames=8, max_pieces=None, max_skipped_share=0.5)


def test_unreadable_scores_are_listed_and_too_many_stop_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    good = [(scores.read_tune, "good", "airdsAirs", JIG)]
    bad = [(scores.read_tune, "bad", "airdsAirs", JIG.replace("M:6/8\n", ""))]
    monkeypatch.setattr(scores, "_jobs", lambda *_: good + bad)
    pieces, skipped = scores.read_pieces(["airdsAirs"], None, 0.5, num_workers=1)
    assert [piece.name for piece in pieces] == ["good"]
    assert skipped == [{"file": "bad", "reason": "it states no time signature, so its beat is unknown"}]
    monkeypatch.setattr(scores, "_jobs", lambda *_: good + 2 * bad)
    with pytest.raises(KellyError, match=r"2 of 3 files cannot be used, (.|\n)* bad: it states no time signature"):
        scores.read_pieces(["airdsAirs"], None, 0.5, num_workers=1)


def test_a_minor_piece_is_transposed_to_c_minor_near_the_median_pitch() -> None:
    music = music_of(bars_of([93, 95, 96, 98], [100, 101, 100, 92], [93, 96, 100, 93]))
    assert (music.key.tonic, music.key.mode) == (9, "minor")
    for pitch in (music.notes.pitch, music.score[:, 2]):
        assert pitch[0] % 12 == 0
        assert abs(np.median(pitch) - MEDIAN_PITCH) <= 6


def test_targets_are_the_pitches_that_sound_in_a_bar_even_if_they_began_before() -> None:
    piece = replace(bars_of([60, 62], [64]), melody=np.array([[0, 2, 60], [2, 6, 62], [6, 8, 64]], dtype=float))
    music = music_of(piece)
    shift = int(music.score[0, 2]) - 60
    pitches = [(np.flatnonzero(bar) - shift).tolist() for bar in sounding_pitches(music)]
    assert pitches == [[60, 62], [62, 64]]


def test_bars_in_which_nothing_was_heard_yet_or_any_more_are_left_out() -> None:
    piece = bars_of([60, 62], [64, 67], [60])
    longer = replace(piece, bars=4.0 * np.arange(-2.0, 6.0))
    for music in (music_of(piece), music_of(longer)):
        assert music.bars.tolist() == [0.0, 4.0, 8.0, 12.0]
        assert len(music.bpm) == len(music.groove) == music.num_bars == 3


def test_a_score_does_not_tell_how_it_was_played() -> None:
    music = music_of(bars_of([60, 62], [64, 67], [60]))
    assert not music.notes.velocity.any()
    assert np.isnan(music.groove).all()


def changed(music: Music, bar: int) -> Music:
    """The piece with one other note instead of all that sounds from a bar on."""
    start_s = music.bars_s[bar]
    before = music.notes.onset_s < start_s
    kept = music.notes.take(before)
    kept = replace(kept, duration_s=np.minimum(kept.duration_s, start_s - kept.onset_s))
    other = {"onset_s": start_s, "duration_s": music.bars_s[-1] - start_s, "pitch": 90}
    arrays = {name: np.append(array, np.array(other.get(name, 0), array.dtype)) for name, array in vars(kept).items()}
    return replace(music, notes=Notes(**arrays), is_melody=np.append(music.is_melody[before], True))


@pytest.mark.parametrize("bar", [1, 4, 8])
def test_no_frame_knows_its_own_bar(bar: int) -> None:
    chorale = scores.read_chorale("bwv1.6", "bach", str(scores.FOLDER / "bach" / "bwv1.6.mxl"))
    music = music_of(chorale)
    before, after = heard(music), heard(changed(music, bar))
    np.testing.assert_array_equal(before[: bar + 1], after[: bar + 1])
    assert np.any(before[bar + 1] != after[bar + 1])


def test_heard_coordinates_follow_what_was_played() -> None:
    music = music_of(bars_of(2 * [67], [79] * 16, [79]))
    known = heard(music)
    named = dict(zip(COORDINATES, known.T, strict=True))
    assert not known[0].any()
    shift = (music.score[0, 2] - 67) / 12
    assert named["register"].tolist() == pytest.approx([0.0, shift, 1 / 1.8 + shift])  # decayed mean of 0 and 1
    assert named["arousal"][2] > named["arousal"][1]
    assert not known[:, 4:].any()


def test_one_melody_in_another_key_rhythm_and_collection_is_one_group() -> None:
    walk = np.random.default_rng(3).integers(55, 80, size=(3, 8)).astype(float)
    other = np.random.default_rng(4).integers(55, 80, size=(3, 8)).astype(float)
    piece, stranger = bars_of(*walk.tolist()), bars_of(*other.tolist())
    repeated = bars_of(*[[pitch for pitch in bar for _ in range(2)] for bar in (walk + 5).tolist()])
    pieces = [replace(p, name=name) for p, name in ((stranger, "a"), (piece, "b"), (repeated, "c"))]
    assert corpus.same_melody_groups(pieces) == ["a", "b", "b"]


def test_bach_set_the_passion_chorale_many_times() -> None:
    names = ["bwv135.6", "bwv244.15", "bwv244.54", "bwv153.5", "bwv269"]
    pieces = [scores.read_chorale(name, "bach", str(scores.FOLDER / "bach" / f"{name}.mxl")) for name in names]
    assert corpus.same_melody_groups(pieces) == ["bwv135.6"] * 4 + ["bwv269"]


def test_beats_start_with_the_bar_and_a_pickup_ends_with_it() -> None:
    assert beat_edges(np.array([0.0, 0.5, 3.5])).tolist() == [0.0, 0.5, 1.5, 2.5, 3.5]


def test_melody_windows_hold_one_piece_each_and_mask_what_lies_past_its_end() -> None:
    dataset = corpus.melody(["bach", "airdsAirs"], num_frames=8, max_pieces=6, max_skipped_share=0.5, num_workers=1)
    rows, facts = dataset.sequences, dataset.facts
    assert rows.mask is not None
    assert rows.previous is not None
    assert rows.inputs.shape == (len(rows), 8, EMBEDDING_SIZE)
    assert rows.targets.shape == rows.mask.shape == rows.previous.shape == (len(rows), 8, 128)
    assert [array.dtype.name for array in (rows.inputs, rows.targets, rows.mask)] == ["float32", "float32", "bool"]
    assert facts["pieces_per_collection"] == {"bach": 6, "airdsAirs": 6}
    assert facts["frames"] == rows.mask[..., 0].sum()
    assert not rows.targets[~rows.mask].any()
    starts = np.flatnonzero(np.abs(decode(rows.inputs[:, 0])).max(axis=1) < 1e-5)  # nothing was heard yet
    assert len(starts) == facts["pieces"] == 12
    assert len(np.unique(rows.groups)) == facts["groups"]
    for row in range(len(rows)):
        first = np.full(128, np.nan) if row in starts else rows.targets[row - 1, -1]
        np.testing.assert_array_equal(rows.previous[row, 0], first)
        np.testing.assert_array_equal(
            rows.previous[row, 1:][rows.mask[row, 1:]], rows.targets[row, :-1][rows.mask[row, 1:]]
        )


def test_harmony_rows_know_the_chords_before_and_never_repeat_one() -> None:
    dataset = corpus.harmony(["bach"], max_pieces=5, max_skipped_share=0.5, num_workers=1)
    rows = dataset.sequences
    assert rows.inputs.shape == (len(rows), 1, 128)
    assert rows.targets.shape == (len(rows), 1)
    assert [array.dtype.name for array in (rows.inputs, rows.targets)] == ["float32", "int64"]
    context: NDArray[np.float32] = rows.inputs[:, 0, EMBEDDING_SIZE:]
    follows = np.flatnonzero(context.any(axis=1))
    assert len(rows) - len(follows) == 5  # each piece begins with nothing heard
    np.testing.assert_allclose(decode(rows.inputs[~context.any(axis=1), 0, :EMBEDDING_SIZE]), 0, atol=1e-5)
    assert (rows.targets[follows, 0] != rows.targets[follows - 1, 0]).all()
    assert (context[follows, rows.targets[follows - 1, 0]] == 1).all()
    assert set(dataset.facts["commonest_chords"]) <= set(CHORDS)


def test_tunes_have_no_chords() -> None:
    with pytest.raises(KellyError, match=r"found \['airdsAirs'\], but tunes of one voice have no chords"):
        corpus.harmony(["bach", "airdsAirs"], None, 0.5)


def test_two_workers_make_the_same_bytes_as_one() -> None:
    one, two = (corpus.melody(["airdsAirs"], 8, 20, 0.5, num_workers=n).sequences for n in (1, 2))
    for name in ("inputs", "targets", "groups", "mask", "previous", "category"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()
