"""Ratings of DEAM are read from both tables, or rejected with all errors of both at once."""

from pathlib import Path

import pytest
from support.published_layouts import dynamic_table, errors, write_deam_dynamic, write_deam_static

from kelly.sources.layouts.deam_ratings import STATIC, STATIC_NAMES, read_dynamic, read_static


def dynamic_errors(path: Path, arousal: str, valence: str = "") -> list[str]:
    return errors(read_dynamic, write_deam_dynamic(path, arousal, valence or dynamic_table({"2": [0.1]})))


def test_dynamic_ratings_are_paired_and_sorted_by_song_id(tmp_path: Path) -> None:
    arousal = '\ufeffsong_id , sample_15000ms,"sample_15500ms"\n 10 , "0.5",-1\n\n"9",.25,1e-1\n'
    ratings, num_unpaired = read_dynamic(
        write_deam_dynamic(tmp_path, arousal, dynamic_table({"9": [0, 0, 0], "10": [1, 1]}))
    )
    assert list(ratings) == ["9", "10"]
    assert [values.tolist() for values in ratings.values()] == [[[0, 0], [0.25, 0.1]], [[1, 1], [0.5, -1.0]]]
    assert num_unpaired == 1


def test_all_errors_of_both_dynamic_tables_are_reported(tmp_path: Path) -> None:
    arousal = dynamic_table({"2": [0.1, "x", "y"], "3": [0.1, "", 0.2], "4": [1.01], "5": [], "../7": [0.1]})
    valence = dynamic_table({"2": [0.1], "10": ["inf"], "1e1": [0.1]})
    assert dynamic_errors(tmp_path, arousal + "2,0.1\n6,0.1,0.2,0.3,0.4\n", valence) == [
        "valence.csv, line 3: sample_15000ms 'inf'",
        "valence.csv, line 4: song_id '1e1'",
        "arousal.csv, line 2: sample_15500ms 'x'",
        "arousal.csv, line 3: sample_15500ms ''",
        "arousal.csv, line 4: sample_15000ms '1.01'",
        "arousal.csv, line 5: song_id '5'",
        "arousal.csv, line 6: song_id '../7'",
        "arousal.csv, line 7: song_id '2'",
        "arousal.csv, line 8: 5 cells",
    ]


def test_a_song_in_one_dynamic_table_only_is_an_error(tmp_path: Path) -> None:
    tables = [dynamic_table({"2": [0.1], song_id: [0.1]}) for song_id in ("3", "4")]
    assert dynamic_errors(tmp_path, *tables) == [
        "valence.csv: song_id 4 is in this table only",
        "arousal.csv: song_id 3 is in this table only",
    ]


@pytest.mark.parametrize("song_id", ["../2", "/etc/2", "..\\2", "C:2", "2.0", "-2", "02", "²", "", "9" * 10])
def test_a_song_id_is_a_whole_number(tmp_path: Path, song_id: str) -> None:
    assert dynamic_errors(tmp_path, dynamic_table({song_id: [0.1]})) == [f"arousal.csv, line 2: song_id {song_id!r}"]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("", "song_id missing"),
        ("song_id\n2\n", "column 'no column'"),
        ("id,sample_15000ms\n2,0\n", "song_id missing"),
        ("song_id,sample_15000ms,sample_16000ms\n2,0,0\n", "column 'sample_16000ms'"),
        ("song_id,sample_15000ms,sample_15000ms\n2,0,0\n", "column 'sample_15000ms'"),
        ("sample_15000ms,song_id\n0,2\n", "column 'sample_15000ms'"),
        ("song_id,sample_15000ms\n", "no songs"),
    ],
)
def test_dynamic_tables_have_a_column_per_half_second(tmp_path: Path, content: str, error: str) -> None:
    (line,) = dynamic_errors(tmp_path, content)
    assert error in line.partition("arousal.csv")[2]


def test_static_ratings_of_both_tables_are_scaled_from_nine_points(tmp_path: Path) -> None:
    rated = read_static(write_deam_static(tmp_path, (10, 2, 3, 8, 2001)))
    assert list(rated) == ["2", "3", "8", "10", "2001"]
    assert (rated["8"], rated["2"], rated["3"]) == ((1.0, -1.0), (-0.5, 0.5), (-0.25, 0.25))
    assert rated["2001"] == (-0.25, 0.25)


def test_all_errors_of_both_static_tables_are_reported(tmp_path: Path) -> None:
    write_deam_static(tmp_path)
    first, second = (tmp_path / STATIC / name for name in STATIC_NAMES)
    first.write_text("song_id, valence_mean, valence_std, arousal_mean\n2,3.1,1,3\n3,0.9,1,9.1\nx,5,1,5\n4,5\n")
    second.write_text(second.read_text().replace("\n2001,", "\n2,"))
    assert errors(read_static, tmp_path) == [
        f"{first.name}, line 3: valence_mean '0.9'",
        f"{first.name}, line 3: arousal_mean '9.1'",
        f"{first.name}, line 4: song_id 'x'",
        f"{first.name}, line 5: arousal_mean ''",
        f"{second.name}, line 2: song_id '2'",
    ]
    first.unlink()
    second.write_text("song_id, arousal_mean\n")
    missing, columns = errors(read_static, tmp_path)
    assert "No such file" in missing
    assert "valence_mean missing" in columns
