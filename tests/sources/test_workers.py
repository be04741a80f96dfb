"""Worker processes on this machine or in a cluster give the same bytes, and a lost one is an error."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import pytest
from support.fake_pieces import NAMES, contents, folder_of_songs, melody, pieces_table

from kelly.runtime.errors import KellyError
from kelly.sources.extraction import jobs
from kelly.sources.extraction.file_examples import FileExamples
from kelly.sources.extraction.workers import workers
from kelly.sources.layouts.manifest import Entry

pytestmark = pytest.mark.slow


def test_the_number_of_workers_changes_no_byte(tmp_path: Path) -> None:
    path = folder_of_songs(tmp_path / "songs")
    for number in (1, 3):
        with workers(number):
            melody(path, tmp_path / "data" / str(number))
    one = contents(tmp_path / "data/1")
    assert {"inputs.npy", "targets.npy", "mask.npy", "groups.npy", "pieces.csv", "dataset.json"} <= set(one)
    assert one == contents(tmp_path / "data/3")
    folders = [file.name for file in (tmp_path / "data").iterdir() if file.is_dir() and file.name != ".locks"]
    assert sorted(folders) == ["1", "3"]  # the shards are deleted


def test_a_killed_worker_is_reported_with_the_files_around_it(tmp_path: Path) -> None:
    job = jobs.ExtractionJob([Entry(name, tmp_path / name) for name in NAMES], kill)
    with workers(2), pytest.raises(KellyError, match=r"killed while it read a file from [aceg]/0 to [bdfg]/0 or soon"):
        jobs.run(job, tmp_path / "workspace", "fake")


def kill(_: Entry) -> FileExamples:
    os._exit(9)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as local:
        yield local


def test_a_dask_cluster_gives_the_same_bytes_also_with_a_relative_path(
    tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder_of_songs(tmp_path / "songs")
    melody(path, tmp_path / "local")
    with workers(dask=cluster.scheduler_address):
        melody(path, tmp_path / "cluster")
        monkeypatch.chdir(tmp_path)  # not the working directory of the workers
        melody(Path("songs"), Path("relative"))
    assert contents(tmp_path / "local") == contents(tmp_path / "cluster")
    assert len(pieces_table(tmp_path / "relative")) == 7


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://"])
def test_a_missing_scheduler_is_an_error(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("kelly.sources.extraction.workers.CONNECT_S", 0.5)
    with pytest.raises(KellyError, match=f"no scheduler at '{address}'"), workers(dask=address):
        pass


def test_a_scheduler_without_workers_is_an_error() -> None:
    distributed = pytest.importorskip("distributed")
    local = distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=":0")
    with local, pytest.raises(KellyError, match=r"has no workers"), workers(dask=local.scheduler_address):
        pass


def exit_at_once() -> None:
    os._exit(9)


def test_a_killed_worker_is_reported_whatever_it_was_doing() -> None:
    with pytest.raises(KellyError, match="a worker process was killed"), workers(2):
        joblib.Parallel()(joblib.delayed(exit_at_once)() for _ in range(4))
