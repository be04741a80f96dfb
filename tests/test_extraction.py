"""Files measured side by side: the same result however it came about, and nothing damaged, stale or double in it."""

import csv
import os
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from played import Note, notes_of, write

from kelly.datasets.extraction import chunks
from kelly.datasets.extraction import jobs as extraction
from kelly.datasets.extraction.duplicates import same_works, signature, sound_signature
from kelly.datasets.extraction.from_files import FromFiles
from kelly.datasets.extraction.jobs import Job
from kelly.datasets.extraction.measured import Measured
from kelly.datasets.extraction.workers import workers
from kelly.datasets.generate import generate, is_outdated
from kelly.datasets.layouts.listing import Entry, Listing
from kelly.datasets.reading.midi import Notes, read_midi
from kelly.datasets.sequences import Dataset
from kelly.datasets.skipped import UnsuitedError
from kelly.errors import KellyError
from kelly.tasks import TASKS

MELODY: dict[str, Any] = {
    "num_frames": 4,
    "max_files": None,
    "max_windows_per_piece": None,
    "max_skipped_share": 0.5,
}


def song(seed: int, num_bars: int = 12, shift: int = 0) -> list[Note]:
    """A tune of its own over chords of its own, in C major and the keys beside it."""
    rng = np.random.default_rng(seed)
    notes = []
    for bar in range(num_bars):
        root = int(rng.choice([48, 53, 55, 57]))
        notes += [Note(4 * bar, 3.9, root + pitch + shift, 60) for pitch in (0, 4, 7)]
        notes += [Note(4 * bar + i / 2, 0.4, int(rng.choice([72, 74, 76, 77, 79, 81])) + shift, 90) for i in range(8)]
    return notes


def folder_of_songs(path: Path, number: int = 7) -> Path:
    for seed in range(number):
        write(path / f"{seed}.mid", {"Piano": song(seed)})
    return path


def melody(path: Path, to: Path, **changes: object) -> Dataset:
    return generate(TASKS["melodytransformer"], "midi", MELODY | {"path": str(path)} | changes, to)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "pieces.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def groups(folder: Path) -> dict[str, str]:
    return {piece["file"]: piece["group"] for piece in table(folder)}


# A made piece is called work/version/copy: versions have other rows, copies the same ones.


def measured(entry: Entry, log: str, num_rows: int = 3, width: int = 4) -> Measured:
    """Rows that only the name tells, noted in the file `log`; a file `stop` beside it names one that interrupts."""
    stop = Path(log).with_name("stop")
    if stop.exists() and stop.read_text() == entry.name:
        raise KeyboardInterrupt
    with Path(log).open("a", encoding="utf-8") as file:
        file.write(entry.name + "\n")
    work, version, *_ = entry.name.split("/")
    if work == "broken":
        raise KellyError(f"{entry.path}: damaged")
    if work == "unsuited":
        raise UnsuitedError(f"{entry.path}: no drums")
    rng = np.random.default_rng(list(f"{work}/{version}".encode()))
    rows: dict[str, NDArray[Any]] = {
        "inputs": rng.random((num_rows, 1, width), np.float32),
        "targets": rng.random((num_rows, 1, width), np.float32),
        "mask": rng.random((num_rows, 1, width)) < 0.5,
    }
    return Measured(rows, "major", sound_signature(np.array([float(byte) for byte in work.encode()], np.float32)))


class Made:
    """A data set of made pieces in a folder, with chunks of two files, and what was measured for it so far."""

    def __init__(self, folder: Path, *names: str, sides: str = "", share: float = 0.9, **settings: Any) -> None:
        self.folder, self.log = folder, folder / "log"
        self.log.touch()
        officials = sides.split() or [""] * len(names)
        self.entries = [Entry(n, folder / n, official=o) for n, o in zip(names, officials, strict=True)]
        job = Job(self.entries, measured, {"log": str(self.log)} | settings)
        self.files = FromFiles(folder, Listing(self.entries), job, share, {})

    def save(self, to: str = "data") -> dict[str, Any]:
        (self.folder / to).mkdir(exist_ok=True)
        return self.files.save_arrays(self.folder / to, self.folder / "workspace")

    def measured(self) -> list[str]:
        """Names of the pieces measured since the last call."""
        names = self.log.read_text(encoding="utf-8").split("\n")[:-1]
        self.log.write_text("")
        return names


NAMES = [f"{work}/0" for work in "abcdefg"]  # four chunks of two, the last of one


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "CHUNK_FILES", 2)


def test_the_number_of_workers_changes_no_byte(tmp_path: Path) -> None:
    path = folder_of_songs(tmp_path / "songs")
    for number in (1, 2, 3):
        with workers(number):
            melody(path, tmp_path / "data" / str(number))
    one = contents(tmp_path / "data/1")
    assert {"inputs.npy", "targets.npy", "mask.npy", "groups.npy", "pieces.csv", "dataset.json"} <= set(one)
    assert one == contents(tmp_path / "data/2") == contents(tmp_path / "data/3")
    left = [file.name for file in (tmp_path / "data").iterdir() if file.is_dir()]
    assert sorted(left) == ["1", "2", "3"]  # no chunks are left


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
        patched.setattr("kelly.datasets.extraction.from_files.same_works", interrupted)
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
        patched.setattr("kelly.datasets.extraction.from_files.same_works", meanwhile)
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
    error, unsuited = KellyError(f"{entries[1].path}: damaged"), UnsuitedError("no drums")
    log = tmp_path / "log"
    piece = measured(entries[0], str(log))
    chunks.write(tmp_path / "0.npz", entries, [piece, error, unsuited])
    chunk = chunks.Chunk(tmp_path / "0.npz")
    assert chunks.is_whole(chunk.path)
    assert chunk["outcome"].tolist() == [chunks.USED, chunks.UNUSABLE, chunks.UNSUITED]
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


def test_of_exact_copies_the_one_on_the_test_side_is_kept(tmp_path: Path) -> None:
    names = ["a/0/0", "a/0/1", "b/0/0", "b/0/1", "c/0/0", "c/0/1"]
    made = Made(tmp_path, *names, sides="train test validation train train train")
    facts = made.save()
    assert list(groups(tmp_path / "data")) == ["a/0/1", "b/0/0", "c/0/0"]
    assert facts["duplicates"] == [
        {"file": "a/0/0", "same_as": "a/0/1"},
        {"file": "b/0/1", "same_as": "b/0/0"},
        {"file": "c/0/1", "same_as": "c/0/0"},
    ]
    assert facts["duplicates_left_out"] == 3
    assert np.load(tmp_path / "data/official.npy").tolist() == ["test"] * 3 + ["validation"] * 3 + ["train"] * 3
    assert facts["sequences_by_side"] == {"test": 3, "train": 3, "validation": 3}


def test_copies_are_left_out_whatever_their_variations_are(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("copy of a", 0), ("b", 1)):
        write(tmp_path / f"music/{name}.mid", {"Piano": song(seed)})
    own = {"window_s": None, "augmentation": {"copies": 2, "velocity": 0.2, "tempo": 0.1}}
    settings = {name: value for name, value in MELODY.items() if name != "num_frames"} | own
    dataset = generate(TASKS["dynamicsengine"], "midi", settings | {"path": str(tmp_path / "music")}, tmp_path / "data")
    assert dataset.facts["duplicates"] == [{"file": "copy of a.mid", "same_as": "a.mid"}]


def test_of_a_work_on_two_published_sides_the_last_is_kept(tmp_path: Path) -> None:
    names = ["a/0", "a/1", "a/2", "b/0", "b/1", "c/0", "c/1"]
    made = Made(tmp_path, *names, sides="train test validation train validation train train")
    facts = made.save()
    assert groups(tmp_path / "data") == {"a/1": "0", "b/1": "1", "c/0": "2", "c/1": "2"}
    assert facts["duplicates"] == [
        {"file": "a/0", "same_as": "a piece of the test side"},
        {"file": "a/2", "same_as": "a piece of the test side"},
        {"file": "b/0", "same_as": "a piece of the validation side"},
    ]
    assert (facts["pieces"], facts["works"]) == (4, 3)


def test_near_duplicates_are_one_group_and_other_pieces_are_not(tmp_path: Path) -> None:
    path, to = folder_of_songs(tmp_path / "songs", 4), tmp_path / "data"
    write(path / "copies/0 in another key.mid", {"Piano": song(0, shift=5)}, bpm=97)
    write(path / "copies/0 slower.mid", {"Piano": song(0)}, bpm=80)
    one_more = [note._replace(onset=note.onset + 48) for note in song(9, num_bars=1)]
    write(path / "copies/1 and a bar more.mid", {"Piano": song(1) + one_more})
    write(path / "copies/2.mid", {"Strings": song(2)})
    write(path / "copies/3 in another key.mid", {"Piano": song(3, shift=-4)})
    facts = melody(path, to).facts
    own = groups(to)
    assert own["copies/0 in another key.mid"] == own["copies/0 slower.mid"] == own["0.mid"]
    assert own["copies/1 and a bar more.mid"] == own["1.mid"]
    assert len({own[f"{i}.mid"] for i in (0, 1)}) == 2
    # What gives the same rows, whatever it is called and in whatever key it stands, is left out.
    left_out = {copy["file"]: copy["same_as"] for copy in facts["duplicates"]}
    assert left_out == {"copies/2.mid": "2.mid", "copies/3 in another key.mid": "3.mid"}
    assert facts["duplicates_left_out"] == 2
    assert facts["works"] == len(set(own.values())) == 4


def test_a_hundred_songs_are_a_hundred_works(tmp_path: Path) -> None:
    signatures = []
    for seed in range(100):
        signatures.append(signature(read_midi(write(tmp_path / "a.mid", {"Piano": song(seed, num_bars=4)})).notes))
    assert same_works(signatures, [""] * 100).tolist() == list(range(100))


def test_works_are_joined_by_name_and_at_two_removes() -> None:
    a, b, c = (sound_signature(np.array([i], np.float32)) for i in range(3))
    near_a = np.where(np.arange(len(a)) < 40, a, b)  # 40 of 64 runs are those of a, the others those of b
    far = np.where(np.arange(len(a)) < 24, near_a, c)  # less than half
    assert same_works([a, b, near_a, c, a], [""] * 5).tolist() == [0, 1, 0, 2, 0]
    assert same_works([a, b, None, None], ["", "x", "x", ""]).tolist() == [0, 1, 1, 2]
    assert same_works([a, far, near_a], [""] * 3).tolist() == [0, 1, 0]
    assert same_works([a, b, None], ["song", "song", "song"]).tolist() == [0, 0, 0]
    assert same_works([], []).tolist() == []


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


def test_a_worker_that_is_killed_is_told_by_the_files_around_it(tmp_path: Path) -> None:
    job = Job([Entry(name, tmp_path / name) for name in NAMES], kill, {})
    with workers(2), pytest.raises(KellyError, match=r"killed at a file from [aceg]/0 to [bdfg]/0 or soon after"):
        list(extraction.run(job, tmp_path / "workspace", "made"))


def kill(_: Entry) -> Measured:
    os._exit(9)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as local:
        yield local


def test_a_dask_cluster_gives_the_same_bytes(tmp_path: Path, cluster: Any) -> None:
    path = folder_of_songs(tmp_path / "songs")
    melody(path, tmp_path / "alone")
    with workers(dask=cluster.scheduler_address):
        melody(path, tmp_path / "cluster")
    assert contents(tmp_path / "alone") == contents(tmp_path / "cluster")


def test_workers_that_run_in_another_folder_find_files_by_a_relative_path(
    tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of_songs(tmp_path / "songs")
    monkeypatch.chdir(tmp_path)
    with workers(dask=cluster.scheduler_address):
        melody(Path("songs"), Path("data"))
    assert len(table(Path("data"))) == 7


def test_no_scheduler_at_the_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("kelly.datasets.extraction.workers.CONNECT_S", 0.5)
    with pytest.raises(KellyError, match=r"no scheduler at 'tcp://127\.0\.0\.1:9'(.|\n)*set it to null"):
        enter(dask="tcp://127.0.0.1:9")
    with pytest.raises(KellyError, match="no scheduler at 'nonsense://'"):
        enter(dask="nonsense://")


def test_a_scheduler_without_workers_is_told() -> None:
    distributed = pytest.importorskip("distributed")
    local = distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=":0")
    with local, pytest.raises(KellyError, match="has no workers; start some: dask worker"):
        enter(dask=local.scheduler_address)


def enter(**settings: Any) -> None:
    with workers(**settings):
        pass


def test_voices_in_one_track_and_in_a_track_each_are_one_work() -> None:
    rng = np.random.default_rng(0)
    voices = [[Note(i / 2, 0.5, int(p)) for i, p in enumerate(rng.integers(55, 80, 40))] for _ in range(3)]
    parts = [notes_of(voice) for voice in voices]
    number = np.repeat(np.arange(3), 40)
    whole = Notes(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})
    order = np.lexsort((whole.pitch, whole.onset_s))
    apart = replace(whole, track=number, channel=number).take(order)
    together = replace(whole, channel=number).take(order)
    assert same_works([signature(apart), signature(together)], ["", ""]).tolist() == [0, 0]
