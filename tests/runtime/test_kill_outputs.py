"""The kill campaign finds what it looks for: orphans, incomplete and temporary files, other bytes."""

import subprocess
from pathlib import Path

import pytest
from support import kill_processes
from support.kill_outputs import contents, differences, exists, incomplete, is_temporary, neither


def test_a_process_that_stays_in_the_folder_is_an_orphan_and_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kill_processes, "GRACE_S", 0.0)
    with subprocess.Popen(["sleep", "60"], cwd=tmp_path) as process:
        assert kill_processes.stop_orphans(tmp_path) == ["sleep 60"]
        assert process.wait() == -9
    assert kill_processes.stop_orphans(tmp_path) == []


def test_a_command_is_killed_after_a_time_or_returns_its_exit_code(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert kill_processes.run_for(["sleep", "60"], tmp_path, log, 0.1, group=False) is None
    assert kill_processes.run_for(["sleep", "60"], tmp_path, log, 0.1, group=True) is None
    assert kill_processes.run_for(["sh", "-c", "echo no; exit 3"], tmp_path, log, None, group=True) == 3
    assert log.read_text().endswith("no\n")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (".best.partial.pt", True),
        (".best.4711.partial.pt", True),
        (".best.partial-x7_k.pt", True),
        (".groove.partial-files/shard0.npz", True),
        (".groove.former/inputs.npy", True),
        ("best.pt", False),
        ("partial.json", False),
        (".dvc/config.local", False),
    ],
)
def test_temporary_names_begin_with_a_dot_and_contain_a_word(name: str, expected: bool) -> None:
    assert is_temporary(Path("out") / name) == expected


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '{"a": '),
        ("a.csv", "a,b\n1"),
        ("a.html", "<html>"),
        ("a.pt", "PK"),
        ("a.db", "SQLite"),
        ("a.md", "x"),
    ],
)
def test_half_of_a_file_is_incomplete(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    (tmp_path / f".{name}.partial").write_text(content)
    assert incomplete(tmp_path) == [str(tmp_path / name)]


def test_missing_further_and_other_files_are_differences(tmp_path: Path) -> None:
    for name in ("same", "other", "further", ".dvc/cache/aa", ".git/index", ".locks/groove.lock"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    actual = contents(tmp_path)
    expected = {"same": b"same", "other": b"new", "missing": b""}
    assert differences(actual, expected) == ["further is left over", "missing is missing", "other differs"]
    assert neither(actual, {"other": b"old", "further": b"further", "missing": b""}, expected) == [
        "missing is neither old nor new",
        "other is neither old nor new",
    ]
    assert contents(tmp_path, {"oth*": exists})["other"] == b"exists"
