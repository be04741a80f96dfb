"""What a kill left half written of DVC's files is repaired, and nothing else is touched."""

import subprocess
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from kelly.pipeline import dvc_files
from kelly.runtime.locks import waiting_lock

LOCK = """schema: '2.0'
stages:
  split:
    cmd: python -m stages.split
    deps:
    - path: data
      hash: md5
      md5: 0123456789abcdef0123456789abcdef
      size: 12
"""


@pytest.fixture(autouse=True)
def without_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dvc_files, "PAUSE_S", 0.0)


def write(project: Path, lock: str, rwlock: str) -> None:
    (project / ".dvc/tmp").mkdir(parents=True, exist_ok=True)
    (project / "dvc.lock").write_text(lock)
    (project / ".dvc/tmp/rwlock").write_text(rwlock)


def test_complete_and_missing_files_are_left_alone(tmp_path: Path) -> None:
    assert dvc_files.repair(tmp_path) == []
    write(tmp_path, LOCK, '{"read": {}, "write": {}}')
    assert dvc_files.repair(tmp_path) == []
    assert (tmp_path / "dvc.lock").read_text() == LOCK


@pytest.mark.parametrize("rwlock", ["", '{"read": {', "null"])
def test_a_broken_rwlock_is_removed(tmp_path: Path, rwlock: str) -> None:
    write(tmp_path, LOCK, rwlock)
    (tmp_path / ".dvc/tmp/exps").mkdir()
    (tmp_path / ".dvc/tmp/exps/rwlock").write_text(rwlock)
    messages = dvc_files.repair(tmp_path)
    assert [message.split()[0] for message in messages] == [".dvc/tmp/rwlock", ".dvc/tmp/exps/rwlock"]
    assert list((tmp_path / ".dvc/tmp").rglob("rwlock")) == []
    assert dvc_files.repair(tmp_path) == []


@pytest.mark.parametrize(
    "broken", ["", "schema: '2.0'\nstages:\n  split:\n    cm", LOCK + "    outs:\n    - path\n", "a: ["]
)
def test_a_broken_lock_file_is_restored_as_committed(tmp_path: Path, broken: str) -> None:
    write(tmp_path, LOCK, "{}")
    for command in (
        ["init", "-q"],
        ["add", "dvc.lock"],
        ["-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / "dvc.lock").write_text(broken)
    assert "restored as committed" in dvc_files.repair(tmp_path)[0]
    assert (tmp_path / "dvc.lock").read_text() == LOCK


def test_a_broken_lock_file_that_was_never_committed_is_removed(tmp_path: Path) -> None:
    write(tmp_path, "a: [", "{}")
    assert len(dvc_files.repair(tmp_path)) == 1
    assert not (tmp_path / "dvc.lock").exists()


def test_of_several_at_once_one_repairs_and_nothing_written_since_is_replaced(tmp_path: Path) -> None:
    write(tmp_path, "a: [", "")
    with waiting_lock(tmp_path / ".dvc/tmp/dvc.lock") as lock, ThreadPoolExecutor() as pool:
        others = [pool.submit(dvc_files.repair, tmp_path) for _ in range(4)]
        wait(others, timeout=0.5)  # they have seen that the files are broken
        write(tmp_path, LOCK, "{}")
        lock.release()
    assert [other.result() for other in others] == [[]] * 4
    assert (tmp_path / "dvc.lock").read_text() == LOCK


def test_a_lock_of_git_is_reported_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/index.lock").touch()
    assert ".git/index.lock exists" in dvc_files.repair(tmp_path)[0]
    assert (tmp_path / ".git/index.lock").exists()
