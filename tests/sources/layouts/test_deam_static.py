"""Ratings of whole songs of DEAM are read from its two tables of different columns."""

from pathlib import Path

import pytest
from support.published_layouts import write_deam_static

from kelly.runtime.errors import KellyError
from kelly.sources.layouts.deam_static import FOLDER, NAMES, read_static


def test_ratings_of_both_tables_are_scaled_from_nine_points(tmp_path: Path) -> None:
    rated = read_static(write_deam_static(tmp_path, (10, 2, 3, 8, 2001)))
    assert list(rated) == ["2", "3", "8", "10", "2001"]
    assert (rated["8"], rated["2"], rated["3"]) == ((1.0, -1.0), (-0.5, 0.5), (-0.25, 0.25))
    assert rated["2001"] == (-0.25, 0.25)


def test_faults_of_the_tables_of_ratings_are_told_all_at_once(tmp_path: Path) -> None:
    write_deam_static(tmp_path)
    first, second = (tmp_path / FOLDER / name for name in NAMES)
    first.write_text(
        "song_id, valence_mean, valence_std, arousal_mean, arousal_std\n2,3.1,1,3,1\n3,0.9,1,9.1,1\nx,5,1,5,1\n4,5\n"
    )
    second.write_text(second.read_text().replace("\n2001,", "\n2,"))
    with pytest.raises(KellyError) as caught:
        read_static(tmp_path)
    one, two = NAMES
    assert str(caught.value).splitlines() == [
        f"{tmp_path / FOLDER}: 5 faults; mend them, or unpack the data set anew. The first:",
        f"{one}, line 3: valence_mean '0.9', expected a number in 1..9",
        f"{one}, line 3: arousal_mean '9.1', expected a number in 1..9",
        f"{one}, line 4: song_id 'x', expected a whole number",
        f"{one}, line 5: 2 cells, expected 5",
        f"{two}, line 2: song_id 2 stands in {one}, line 2 too, expected one row",
    ]
    first.unlink()
    second.write_text("song_id, arousal_mean\n")
    with pytest.raises(KellyError) as caught:
        read_static(tmp_path)
    assert str(caught.value).splitlines()[1:] == [
        f"{one}: cannot be read (No such file or directory); expected a table of ratings",
        f"{two}: columns valence_mean missing or not alone, found song_id, arousal_mean; expected a table of ratings",
    ]
