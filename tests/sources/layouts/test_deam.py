"""Rated music: folders in the published layout with synthesised songs, and every fault of theirs told by name."""

import csv
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import soundfile
from support.published_layouts import write_deam_static

from kelly.data.dataset import Dataset
from kelly.features.emotion import decode
from kelly.features.log_mel import SAMPLE_RATE_HZ, band_position
from kelly.runtime.errors import KellyError
from kelly.sources.examples import emotion
from kelly.sources.examples.emotion import HOP_LENGTH
from kelly.sources.extraction.workers import workers
from kelly.sources.generate import generate
from kelly.sources.layouts import ratings
from kelly.sources.layouts.deam_static import read_static
from kelly.sources.layouts.listing import Entry
from kelly.sources.layouts.ratings import read_ratings
from kelly.tasks import TASKS

Examples = Mapping[str, Sequence[float | str]]


def table(rows: Examples) -> str:
    num_columns = max(len(cells) for cells in rows.values())
    header = ["song_id", *(f"sample_{15_000 + 500 * i}ms" for i in range(num_columns))]
    lines = [[song_id, *map(str, cells), *[""] * (num_columns - len(cells))] for song_id, cells in rows.items()]
    return "".join(",".join(line) + "\n" for line in [header, *lines])


def write_tables(path: Path, arousal: str, valence: str) -> Path:
    folder = path / ratings.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "arousal.csv").write_text(arousal, encoding="utf-8")
    (folder / "valence.csv").write_text(valence, encoding="utf-8")
    return path


def write_song(path: Path, frequencies_hz: Sequence[float], silent_s: float = 15.0) -> Path:
    """A quiet start, then half a second of each frequency, up to the moment of its rating."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cycles = np.concatenate([np.full(HOP_LENGTH, hz) for hz in frequencies_hz]).cumsum() / SAMPLE_RATE_HZ
    start = np.zeros(round((silent_s - 0.5) * SAMPLE_RATE_HZ))
    soundfile.write(path, np.concatenate([start, 0.5 * np.sin(2 * np.pi * cycles)]), SAMPLE_RATE_HZ)
    return path


def write_folder(path: Path, lengths: Sequence[int] = (5, 3, 4, 4, 4), ending: str = "flac") -> Path:
    """Songs 2, 3 … of so many ratings, each as long as its ratings are."""
    arousal: Examples = {str(i): [0.1 * k - 0.2 for k in range(n)] for i, n in enumerate(lengths, start=2)}
    valence: Examples = {str(i): [0.3 - 0.2 * k + 0.01 * i for k in range(n)] for i, n in enumerate(lengths, start=2)}
    for i, n in enumerate(lengths, start=2):
        write_song(path / f"MEMD_audio/{i}.{ending}", [300.0 * (k + i) for k in range(n)])
    return write_tables(path, table(arousal), table(valence))


def read(
    path: Path, max_skipped_share: float = 0.5, data: str = "data", kind: Literal["dynamic", "static"] = "dynamic"
) -> Dataset:
    """The data that a folder gives, written to its subfolder `data`."""
    settings = {"path": str(path), "ratings": kind, "num_frames": 4, "max_files": None}
    settings |= {"max_windows_per_piece": None, "max_skipped_share": max_skipped_share}
    return generate(TASKS["emotionrecognizer"], "deam", settings, path / data)


def songs_of(dataset: Dataset, path: Path) -> list[str]:
    """The song of each sequence."""
    with (path / "data/pieces.csv").open(encoding="utf-8", newline="") as file:
        pieces = list(csv.DictReader(file))
    assert dataset.sequences.groups.tolist() == [p["group"] for p in pieces for _ in range(int(p["num_rows"]))]
    return [Path(piece["file"]).stem for piece in pieces for _ in range(int(piece["num_rows"]))]


def num_frames(dataset: Dataset) -> int:
    assert dataset.sequences.mask is not None
    return int(dataset.sequences.mask[..., 0].sum())


@pytest.mark.parametrize("ending", ["mp3", "wav", "flac", "ogg"])
def test_a_frame_is_what_was_heard_up_to_its_rating(tmp_path: Path, ending: str) -> None:
    data = read(write_folder(tmp_path, ending=ending))
    s = data.sequences
    assert (s.inputs.shape, s.targets.shape) == ((6, 4, 128), (6, 4, 64))
    assert s.inputs.dtype == s.targets.dtype == np.float32
    assert songs_of(data, tmp_path) == ["2", "2", "3", "4", "5", "6"]
    assert s.groups.tolist() == ["0", "0", "1", "2", "3", "4"]
    for row, song in ((0, 2), (2, 3), (3, 4)):
        heard = np.floor(band_position(300.0 * (np.arange(3) + song)))
        assert np.abs(s.inputs[row, :3].argmax(axis=1) - heard).max() <= 1
        emotion = decode(s.targets[row, :3])[:, :2]
        np.testing.assert_allclose(emotion[:, 0], 0.3 - 0.2 * np.arange(3) + 0.01 * song, atol=1e-5)
        np.testing.assert_allclose(emotion[:, 1], 0.1 * np.arange(3) - 0.2, atol=1e-5)


def test_past_its_end_a_song_stays_as_it_was_and_is_masked(tmp_path: Path) -> None:
    s = read(write_folder(tmp_path)).sequences
    assert s.mask is not None
    assert s.mask.all(axis=2).tolist() == [[True] * 4, [True] + [False] * 3, [True] * 3 + [False]] + [[True] * 4] * 3
    assert (s.mask.all(axis=2) == s.mask.any(axis=2)).all()
    np.testing.assert_array_equal(s.inputs[1, 1:], s.inputs[1, [0, 0, 0]])
    assert (s.targets[~s.mask] == 0).all()


def test_the_facts_count_what_was_read(tmp_path: Path) -> None:
    data = read(write_folder(tmp_path))
    names = ("files", "pieces", "works", "sequences", "ratings_in_one_table_only")
    assert [data.facts[name] for name in names] == [5, 5, 5, 6, 0]
    assert num_frames(data) == 20
    assert HOP_LENGTH == 22_050
    assert data.facts["skipped"] == []


def test_the_same_folder_gives_the_same_bytes_with_any_number_of_processes(tmp_path: Path) -> None:
    path = write_folder(tmp_path)
    for num_workers in (1, 2):
        with workers(num_workers):
            read(path, data=str(num_workers))
    for file in (tmp_path / "1").iterdir():
        assert file.read_bytes() == (tmp_path / "2" / file.name).read_bytes()


def test_songs_of_the_same_sound_are_one_piece(tmp_path: Path) -> None:
    path = write_folder(tmp_path)
    (path / "MEMD_audio/6.flac").write_bytes((path / "MEMD_audio/4.flac").read_bytes())
    data = read(path)
    assert songs_of(data, path) == ["2", "2", "3", "4", "5", "6"]
    assert data.sequences.groups.tolist() == ["0", "0", "1", "2", "3", "2"]
    assert data.facts["works"] == 4


def test_a_song_that_stands_there_twice_with_its_ratings_is_used_once(tmp_path: Path) -> None:
    path = write_folder(tmp_path)
    for name in ratings.NAMES:
        lines = (path / ratings.FOLDER / name).read_text().splitlines()
        again = "7," + lines[3].partition(",")[2]  # song 4
        (path / ratings.FOLDER / name).write_text("\n".join([*lines, again]))
    (path / "MEMD_audio/7.flac").write_bytes((path / "MEMD_audio/4.flac").read_bytes())
    data = read(path)
    assert data.facts["duplicates"] == [{"file": "MEMD_audio/7.flac", "same_as": "MEMD_audio/4.flac"}]
    assert songs_of(data, path) == ["2", "2", "3", "4", "5", "6"]


def test_ratings_that_only_one_table_has_are_left_out_and_counted(tmp_path: Path) -> None:
    path = write_folder(tmp_path)
    text = (path / ratings.FOLDER / "valence.csv").read_text()
    fewer = text.replace(f",{0.3 - 0.2 * 2 + 0.01 * 3}", ",")
    assert fewer != text
    (path / ratings.FOLDER / "valence.csv").write_text(fewer)
    data = read(path)
    assert data.facts["ratings_in_one_table_only"] == 1
    assert num_frames(data) == 19


def test_a_sound_that_ends_a_second_early_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    path = write_folder(tmp_path)
    write_song(path / "MEMD_audio/2.flac", [300.0] * 3)
    assert num_frames(read(path)) == 18
    write_song(path / "MEMD_audio/2.flac", [300.0] * 2)
    (skipped,) = read(path).facts["skipped"]
    assert skipped["file"] == "MEMD_audio/2.flac"
    assert "15.5 s long, expected 17.0 s as its ratings are; it is cut short or another song" in skipped["reason"]


def test_unusable_sound_files_among_good_ones_are_skipped_with_their_reasons(tmp_path: Path) -> None:
    path = write_folder(tmp_path, lengths=[3] * 8)
    sounds = path / "MEMD_audio"
    (sounds / "2.flac").unlink()
    (sounds / "3.flac").write_bytes(b"")
    (sounds / "4.flac").write_text("not found")
    write_song(sounds / "5.wav", [300.0] * 3)
    data = read(path)
    skipped = {s["file"].removeprefix("MEMD_audio/"): s["reason"] for s in data.facts["skipped"]}
    assert sorted(skipped) == ["2", "3.flac", "4.flac", "5"]
    missing, empty, text, twice = (skipped[name] for name in sorted(skipped))
    assert missing == "no file, expected one of 2.mp3 or 2.wav or 2.flac or 2.ogg; put it there or remove the others"
    assert empty.startswith("empty")
    assert "not a sound file: it begins with b'not '" in text
    assert twice.startswith("5.flac, 5.wav, expected one of 5.mp3")
    assert songs_of(data, path) == ["6", "7", "8", "9"]
    with pytest.raises(KellyError, match=r"4 of 8 files cannot be used(.|\n)*2: no file, expected"):
        read(path, max_skipped_share=0.4)


def test_a_file_that_kills_its_reader_is_told_by_the_files_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(entry: Entry, **_: object) -> None:
        if entry.name == "MEMD_audio/4.flac":
            os.kill(os.getpid(), signal.SIGKILL)
        raise KellyError("not read")

    path = write_folder(tmp_path)
    monkeypatch.setattr(emotion, "from_sound", killed)
    message = r"a reading process was killed at a file from MEMD_audio/2\.flac to MEMD_audio/6\.flac or soon after"
    with workers(2), pytest.raises(KellyError, match=message):
        read(path)


def test_a_missing_folder_says_where_the_data_is_expected(tmp_path: Path) -> None:
    with pytest.raises(KellyError, match=r"set data\.deam\.path(.|\n)*arousal\.csv: cannot be read \(No such file"):
        read(tmp_path / "DEAM")
    path = write_tables(tmp_path, table({"2": [0.1]}), table({"2": [0.1]}))
    with pytest.raises(KellyError, match=r"MEMD_audio: cannot be read \(No such file(.|\n)*set data\.deam\.path"):
        read(path)


def test_spaces_quotes_and_a_byte_order_mark_do_not_count(tmp_path: Path) -> None:
    arousal = '\ufeffsong_id , sample_15000ms,"sample_15500ms" \n 10, "0.5" ,-1\n\n"9",.25,1e-1\n'
    songs = read_ratings(write_tables(tmp_path, arousal, table({"9": [0, 0, 0], "10": [1, 1]})))
    assert [song.song_id for song in songs] == ["9", "10"]
    assert [song.arousal.tolist() for song in songs] == [[0.25, 0.1], [0.5, -1.0]]
    assert [song.left_out for song in songs] == [1, 0]


def faults(path: Path, arousal: str, valence: str = "") -> str:
    with pytest.raises(KellyError) as caught:
        read_ratings(write_tables(path, arousal, valence or table({"2": [0.1]})))
    return str(caught.value)


def test_faults_of_both_tables_are_told_all_at_once(tmp_path: Path) -> None:
    message = faults(
        tmp_path,
        table({"2": [0.1, "x", "y"], "3": [0.1, "", 0.2], "4": [1.01], "5": [], "../7": [0.1], "8": ["nan"]})
        + "2,0.1\n6,0.1,0.2,0.3,0.4\n",
        table({str(i): [0.1] for i in (2, 3, 4, 5, 6, 8, 9)} | {"10": ["inf"], "1e1": [0.1], "-1": [0.1]}),
    )
    assert "13 fault(s)" in message
    first_ten = [
        "arousal.csv, line 2, sample_15500ms: 'x', expected a number in -1..1",
        "arousal.csv, line 3, sample_15500ms: '', expected a number in -1..1",
        "arousal.csv, line 4, sample_15000ms: '1.01', expected a number in -1..1",
        "arousal.csv, line 5: no ratings, expected numbers in -1..1",
        "arousal.csv, line 6: song_id '../7', expected a whole number",
        "arousal.csv, line 7, sample_15000ms: 'nan', expected a number in -1..1",
        "arousal.csv, line 8: song_id 2 for the second time, expected one row a song",
        "arousal.csv, line 9: 5 cells, expected at most 4",
        "valence.csv, line 9, sample_15000ms: 'inf', expected a number in -1..1",
        "valence.csv, line 10: song_id '1e1', expected a whole number",
    ]
    assert message.splitlines()[1:] == first_ten


def test_a_song_in_one_table_only_is_a_fault(tmp_path: Path) -> None:
    message = faults(tmp_path, table({"2": [0.1], "3": [0.1]}), table({"2": [0.1], "4": [0.1]}))
    assert "arousal.csv: song_id 3 has no row in valence.csv\nvalence.csv: song_id 4 has no row in arousal" in message


@pytest.mark.parametrize("song_id", ["../2", "/etc/2", "2/../3", "..\\2", "C:2", "2.0", "-2", "02", "²", "", "9" * 10])
def test_a_song_id_that_is_not_a_whole_number_is_refused(tmp_path: Path, song_id: str) -> None:
    assert f"song_id {song_id!r}, expected a whole number" in faults(tmp_path, table({song_id: [0.1]}))


@pytest.mark.parametrize("value", ["0,5", "1e999", "-1.0001", "0_5", "٠", "0x1", "--1", "True", "∞"])
def test_a_rating_that_is_no_number_in_range_is_refused(tmp_path: Path, value: str) -> None:
    quoted = table({"2": [f'"{value}"']})
    assert f"line 2, sample_15000ms: {value!r}, expected a number in -1..1" in faults(tmp_path, quoted)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "arousal.csv: column 1 is missing, expected 'song_id'"),
        ("song_id\n2\n", "column 2 is missing, expected 'sample_15000ms'"),
        ("id,sample_15000ms\n2,0\n", "column 1 is 'id', expected 'song_id'"),
        ("song_id;sample_15000ms\n2;0\n", "column 1 is 'song_id;sample_15000ms', expected 'song_id'"),
        ("song_id,sample_15000ms,sample_16000ms\n2,0,0\n", "column 3 is 'sample_16000ms', expected 'sample_15500ms'"),
        ("song_id,sample_15000ms,sample_15000ms\n2,0,0\n", "column 3 is 'sample_15000ms', expected 'sample_15500ms'"),
        ("song_id,sample_15000ms\n", "arousal.csv: no songs, expected one a row"),
        ('song_id,sample_15000ms\n2,"0\n3,0\n', "line 3, sample_15000ms: '0\\n3,0', expected a number in -1..1"),
        ("song_id,sample_15000ms\n2," + "0" * 200_000, "not a CSV file in UTF-8 (field larger than field limit"),
    ],
)
def test_a_table_of_another_layout_is_refused(tmp_path: Path, content: str, message: str) -> None:
    assert message in faults(tmp_path, content)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_table_in_another_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    path = write_tables(tmp_path, "", table({"2": [0.1]}))
    (path / ratings.FOLDER / "arousal.csv").write_bytes("song_id,sample_15000ms\n2,½\n".encode(encoding))
    with pytest.raises(KellyError, match=r"arousal\.csv: not a CSV file in UTF-8"):
        read_ratings(path)


def test_absurd_tables_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = faults(tmp_path, "song_id,sample_15000ms\n" + "x\n" * 100_000)
    assert "1000 fault(s)" in message
    assert len(message) < 2_000
    monkeypatch.setattr(ratings, "MAX_BYTES", 1_000)
    assert "arousal.csv: 200023 bytes, expected at most 1000" in faults(
        tmp_path, "song_id,sample_15000ms\n" + "x\n" * 100_000
    )


def test_ratings_of_whole_songs_count_for_all_of_their_sound(tmp_path: Path) -> None:
    rated = read_static(write_deam_static(tmp_path, (2, 3, 4)))
    (tmp_path / "MEMD_audio").mkdir()
    for i in (2, 3, 4):
        write_song(tmp_path / f"MEMD_audio/{i}.wav", [300.0 * (k + i) for k in range(4)])
    dataset = read(tmp_path, kind="static")
    there = dataset.sequences.mask
    assert there is not None
    assert there[..., 0].sum() > 3 * 30  # from the first half second on, and not from 15 s on
    for row, song in enumerate(songs_of(dataset, tmp_path)):
        for target in dataset.sequences.targets[row][there[row, :, 0]]:
            np.testing.assert_allclose(decode(target)[:2], rated[song], atol=1e-5)
