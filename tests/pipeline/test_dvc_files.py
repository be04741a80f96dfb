"""DVC's notes: what a kill left half written is mended, and nothing else is touched."""

import subprocess
from pathlib import Path

import pytest

from kelly.pipeline import dvc_files

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
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dvc_files, "PAUSE_S", 0.0)


def write(project: Path, lock: str, rwlock: str) -> None:
    (project / ".dvc/tmp").mkdir(parents=True, exist_ok=True)
    (project / "dvc.lock").write_text(lock)
    (project / ".dvc/tmp/rwlock").write_text(rwlock)


def test_whole_notes_and_missing_ones_are_left_alone(tmp_path: Path) -> None:
    assert dvc_files.mend(tmp_path) == []
    write(tmp_path, LOCK, '{"read": {}, "write": {}}')
    assert dvc_files.mend(tmp_path) == []
    assert (tmp_path / "dvc.lock").read_text() == LOCK


@pytest.mark.parametrize("rwlock", ["", '{"read": {', "null"])
def test_a_broken_note_of_processes_is_removed(tmp_path: Path, rwlock: str) -> None:
    write(tmp_path, LOCK, rwlock)
    (tmp_path / ".dvc/tmp/exps").mkdir()
    (tmp_path / ".dvc/tmp/exps/rwlock").write_text(rwlock)
    assert dvc_files.mend(tmp_path) == [
        f".dvc/tmp/{name} was half written by a DVC that was killed: removed" for name in ("rwlock", "exps/rwlock")
    ]
    assert list((tmp_path / ".dvc/tmp").rglob("rwlock")) == []
    assert dvc_files.mend(tmp_path) == []


@pytest.mark.parametrize(
    "broken", ["", "schema: '2.0'\nstages:\n  split:\n    cm", LOCK + "    outs:\n    - path\n", "a: ["]
)
def test_a_broken_lock_file_is_brought_back_as_committed(tmp_path: Path, broken: str) -> None:
    write(tmp_path, LOCK, "{}")
    for command in (
        ["init", "-q"],
        ["add", "dvc.lock"],
        ["-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / "dvc.lock").write_text(broken)
    assert dvc_files.mend(tmp_path) == ["dvc.lock was half written by a DVC that was killed: brought back as committed"]
    assert (tmp_path / "dvc.lock").read_text() == LOCK


def test_a_broken_lock_file_that_was_never_committed_is_removed(tmp_path: Path) -> None:
    write(tmp_path, "a: [", "{}")
    assert len(dvc_files.mend(tmp_path)) == 1
    assert not (tmp_path / "dvc.lock").exists()


def test_a_lock_of_gits_is_told_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/index.lock").touch()
    assert dvc_files.mend(tmp_path)[0].startswith(
        ".git/index.lock is there: git is at work, or a git or DVC was killed"
    )
    assert (tmp_path / ".git/index.lock").exists()
