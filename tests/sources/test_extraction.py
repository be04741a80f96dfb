"""Files measured side by side: the same result however it came about, and nothing damaged, stale or double in it."""

import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.made_pieces import MELODY, NAMES, Made, contents, folder_of_songs, groups, measured, melody, song, table
from support.played import write

from kelly.runtime.errors import KellyError
from kelly.sources.extraction import chunks
from kelly.sources.extraction import jobs as extraction
from kelly.sources.extraction.duplicates import same_works
from kelly.sources.extraction.jobs import Job
from kelly.sources.generate import is_outdated
from kelly.sources.layouts.listing import Entry
from kelly.sources.skipped import NotApplicableError
from kelly.tasks import TASKS


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "CHUNK_FILES", 2)


@pytest.mark.parametrize("stop_at", range(len(NAMES)))
def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path, stop_at: int) -> None:
    made = Made(tmp_path, *NAMES)
    unbroken = made.save("unbroken")
    assert made.measured() == NAMES
    for file in (tmp_path / "workspace").iterdir():
        file.unlink()
    (tmp_path / "stop").write_text(NAMES[stop_at])
    with pytest.raises(KeyboardInterrupt):
        made.save()
    assert made.measured() == NAMES[:stop_at]
    (tmp_path / "stop").unlink()
    assert made.save() == unbroken
    assert made.measured() == NAMES[stop_at - stop_at % 2 :]
    assert contents(tmp_path / "data") == contents(tmp_path / "unbroken")


def test_an_interrupted_generate_leaves_the_former_data_and_what_it_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, to = folder_of_songs(tmp_path / "songs"), tmp_path / "data"
    melody(path, to)
    former = contents(to)
    write(path / "7.mid", {"Piano": song(7)})

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("kelly.sources.extraction.from_files.same_works", interrupted)
        with pytest.raises(KeyboardInterrupt):
            melody(path, to)
    assert contents(to) == former
    workspace = tmp_path / ".data.partial-files"
    assert len(list(workspace.glob("*.npz"))) == 4
    melody(path, to)
    assert len(table(to)) == 8
    assert not workspace.exists()


def test_a_file_that_changes_while_others_are_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, to = folder_of_songs(tmp_path / "songs"), tmp_path / "data"

    def meanwhile(signatures: Any, known: Any) -> NDArray[np.intp]:
        write(path / "0.mid", {"Piano": song(99)})
        return same_works(signatures, known)

    settings = MELODY | {"path": str(path)}
    melody(path, to)
    assert not is_outdated(TASKS["melodytransformer"], "midi", settings, to)
    with monkeypatch.context() as patched:
        patched.setattr("kelly.sources.extraction.from_files.same_works", meanwhile)
        melody(path, to)
    assert is_outdated(TASKS["melodytransformer"], "midi", settings, to)


def test_what_is_measured_is_not_measured_again(tmp_path: Path) -> None:
    made = Made(tmp_path, *NAMES)
    made.save()
    made.measured()
    Made(tmp_path, *NAMES).save()
    assert made.measured() == []


@pytest.mark.parametrize("change", ["content", "time", "settings", "code", "function", "ratings", "one file more"])
def test_anything_that_changes_has_all_measured_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    ratings = np.zeros((2, 2_000))
    for name in NAMES:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"music")
    made = Made(tmp_path, *NAMES)

    def run(made: Made, ratings: NDArray[np.float64]) -> None:
        entries = [Entry(e.name, e.path, ratings=ratings) for e in made.entries]
        job = Job(entries, made.files.job.measure, made.files.job.settings)
        assert len(list(extraction.run(job, tmp_path / "workspace", "made"))) == -(-len(entries) // 2)

    run(made, ratings)
    assert made.measured() == NAMES
    run(made, ratings.copy())
    assert made.measured() == []
    names = NAMES
    match change:
        case "content":
            (tmp_path / NAMES[3]).write_bytes(b"other music")
        case "time":
            os.utime(tmp_path / NAMES[3], (1, 1))
        case "settings":
            made = Made(tmp_path, *NAMES, num_rows=2)
        case "code":
            monkeypatch.setattr(extraction, "_code", lambda: "changed")
        case "function":
            monkeypatch.setattr(measured, "__name__", "other")
        case "ratings":
            ratings[1, 1_000] = 0.5  # where NumPy prints dots
        case _:
            names = [*NAMES, "h/0"]
            made = Made(tmp_path, *names)
    run(made, ratings)
    assert made.measured() == names


def damages(whole: bytes) -> Iterator[bytes]:
    """The file cut, and with one bit changed, in many places."""
    rng = np.random.default_rng(0)
    for length in [0, 1, 100, len(whole) - 1, *rng.integers(0, len(whole), 20).tolist()]:
        yield whole[:length]
    for at in range(0, len(whole), 7):
        yield whole[:at] + bytes([whole[at] ^ 1 << int(rng.integers(8))]) + whole[at + 1 :]
    yield whole + b"\0"


def test_a_damaged_chunk_is_measured_anew(tmp_path: Path) -> None:
    made = Made(tmp_path, *NAMES[:4])
    made.save()
    made.measured()
    path = tmp_path / "workspace/00001.npz"
    whole, expected = path.read_bytes(), contents(tmp_path / "data")
    for damaged in damages(whole):
        path.write_bytes(damaged)
        list(extraction.run(made.files.job, tmp_path / "workspace", "made"))
        assert made.measured() == NAMES[2:4]
    path.write_bytes(b"")
    made.save()
    assert contents(tmp_path / "data") == expected


def test_a_chunk_that_is_damaged_while_it_is_read_is_told(tmp_path: Path) -> None:
    made = Made(tmp_path, *NAMES[:2])
    (chunk,) = extraction.run(made.files.job, tmp_path / "workspace", "made")
    whole = bytearray(chunk.path.read_bytes())
    at = whole.index(chunk["rows_inputs"].tobytes())
    whole[at + 5] ^= 4
    chunk.path.write_bytes(whole)
    with pytest.raises(KellyError, match=r"00000\.npz is damaged \(Bad CRC-32.*delete the folder .*workspace"):
        chunk["rows_inputs"]
    chunk.path.unlink()
    with pytest.raises(KellyError, match="is damaged"):
        chunk["rows_inputs"]


def test_a_chunk_holds_what_was_measured(tmp_path: Path) -> None:
    entries = [Entry(name, tmp_path / name) for name in ("a/0", "broken/0", "unsuited/0")]
    error, unsuited = KellyError(f"{entries[1].path}: damaged"), NotApplicableError("no drums")
    log = tmp_path / "log"
    piece = measured(entries[0], str(log))
    chunks.write(tmp_path / "0.npz", entries, [piece, error, unsuited])
    chunk = chunks.Chunk(tmp_path / "0.npz")
    assert chunks.is_whole(chunk.path)
    assert chunk["outcome"].tolist() == [chunks.USED, chunks.UNUSABLE, chunks.NOT_APPLICABLE]
    assert chunk["reason"].tolist() == ["", "damaged", "no drums"]
    assert chunk["num_rows"].tolist() == [3, 0, 0]
    assert sorted(chunk.arrays) == ["inputs", "mask", "targets"]
    for name, array in piece.rows.items():
        np.testing.assert_array_equal(chunk[f"rows_{name}"], array)
    np.testing.assert_array_equal(chunk["signature"][0], piece.signature)
    assert not chunk["signature"][1:].any()


def test_too_many_broken_files_are_an_error_with_their_reasons(tmp_path: Path) -> None:
    names = ["a/0", "b/0", "broken/0", "broken/1", "unsuited/0"]
    facts = Made(tmp_path, *names, share=0.4).save()
    assert facts["skipped"] == [{"file": f"broken/{i}", "reason": "damaged"} for i in (0, 1)]
    assert facts["unsuited"] == [{"file": "unsuited/0", "reason": "no drums"}]
    assert (facts["files"], facts["pieces"], facts["unsuited_left_out"]) == (5, 2, 1)
    with pytest.raises(KellyError, match=r"2 of 5 files cannot be used(.|\n)*broken/0: damaged\n  broken/1: damaged"):
        Made(tmp_path, *names, share=0.39).save()


def test_files_of_which_none_suits_are_an_error_with_their_reasons(tmp_path: Path) -> None:
    with pytest.raises(KellyError, match=r"nothing to learn from in 2 files:\n  2 files: no drums"):
        Made(tmp_path, "unsuited/0", "unsuited/1").save()


def test_the_table_of_pieces_says_which_rows_are_of_which_file(tmp_path: Path) -> None:
    names = ['a/0/"quoted", with a comma', "broken/0", "b/0/Ünïcode", "c/0"]
    made = Made(tmp_path, *names, num_rows=5)
    made.save()
    inputs = np.load(tmp_path / "data/inputs.npy")
    pieces = table(tmp_path / "data")
    assert [piece["file"] for piece in pieces] == [names[0], names[2], names[3]]
    for piece, entry in zip(pieces, (made.entries[i] for i in (0, 2, 3)), strict=True):
        rows = slice(int(piece["first_row"]), int(piece["first_row"]) + int(piece["num_rows"]))
        expected = measured(entry, str(made.log), num_rows=5).rows
        np.testing.assert_array_equal(inputs[rows], expected["inputs"])
        assert set(np.load(tmp_path / "data/groups.npy")[rows].tolist()) == {piece["group"]}
    assert sum(int(piece["num_rows"]) for piece in pieces) == len(inputs) == 15


def test_files_are_limited_evenly_over_the_folder(tmp_path: Path) -> None:
    path = folder_of_songs(tmp_path / "songs", 9)
    facts = melody(path, tmp_path / "data", max_files=5, max_windows_per_piece=2).facts
    assert list(groups(tmp_path / "data")) == [f"{i}.mid" for i in (0, 2, 4, 6, 8)]
    assert {piece["num_rows"] for piece in table(tmp_path / "data")} == {"2"}
    assert (facts["pieces"], facts["sequences"]) == (5, 10)


def test_memory_does_not_grow_with_the_number_of_files(tmp_path: Path) -> None:
    names = [f"{i}/0" for i in range(400)]  # 200 chunks of two
    made = Made(tmp_path, *names, num_rows=50, width=500)
    tracemalloc.start()
    try:
        made.save()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    written = sum(file.stat().st_size for file in (tmp_path / "data").iterdir())
    assert len(list((tmp_path / "workspace").glob("*.npz"))) == 200
    assert written > 90e6
    assert peak < 6e6
