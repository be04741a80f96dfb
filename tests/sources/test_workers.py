"""ProcessGroup that read music, of this machine or of others: the same bytes, and a message where one is lost."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.made_pieces import NAMES, contents, folder_of_songs, melody, table

from kelly.runtime.errors import KellyError
from kelly.sources.extraction import jobs as extraction
from kelly.sources.extraction.jobs import Job
from kelly.sources.extraction.measured import Measured
from kelly.sources.extraction.workers import workers
from kelly.sources.layouts.listing import Entry


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
    monkeypatch.setattr("kelly.sources.extraction.workers.CONNECT_S", 0.5)
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
