"""Files and folders are replaced as a whole, whoever else writes or reads them, and nothing is left over."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from support.several_writers import compete

from kelly.runtime.atomic import replacing, replacing_folder, write_text

NO_FAULTS = {"written", "read", "missing", "removed"}  # the last two only of folders

# Begins to write a file, and is killed when its input ends.
KILLED = """
import os, signal, sys; from pathlib import Path; from kelly.runtime.atomic import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    print(temporary.name, flush=True)
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".locks")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_many_processes_write_and_read_one_target(tmp_path: Path, kind: str) -> None:
    counts = compete(kind, tmp_path / "target.bin", 1.0)
    assert counts["written"] > 8
    assert counts["read"] > 4
    assert counts.keys() <= NO_FAULTS
    assert names(tmp_path) == ["target.bin"]


def test_threads_write_one_target(tmp_path: Path) -> None:
    path = tmp_path / "target.txt"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: write_text(path, f"{i:03}" * 10_000), range(100)))
    assert len(path.read_text()) == 30_000
    assert path.read_text() == path.read_text()[:3] * 10_000
    assert names(tmp_path) == ["target.txt"]


def test_the_next_writer_removes_what_dead_ones_left_and_nothing_of_the_living(tmp_path: Path) -> None:
    path = tmp_path / "target.txt"
    unrelated = [tmp_path / name for name in (".other.partial-12345678.txt", ".target.partial-12345678.json")]
    for file in unrelated:
        file.touch()
    dead = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert dead.stdout is not None
    left = dead.stdout.readline().strip()
    write_text(path, "while it lives")
    assert (tmp_path / left).read_text() == "half"
    dead.communicate()
    assert names(tmp_path) == sorted([left, "target.txt", *(file.name for file in unrelated)])
    with replacing(path) as temporary:
        temporary.write_text("complete")
        write_text(path, "of another writer")  # removes what is left, but not this one's file
    assert path.read_text() == "complete"
    assert names(tmp_path) == sorted(["target.txt", *(file.name for file in unrelated)])


def test_a_failed_write_leaves_the_earlier_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "target.txt"
    write_text(path, "earlier")
    with suppress(KeyboardInterrupt), replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "earlier"
    assert names(tmp_path) == ["target.txt"]


def test_permissions_are_those_of_any_new_file_and_a_link_is_replaced(tmp_path: Path) -> None:
    path, other, usual = tmp_path / "target.txt", tmp_path / "other.txt", tmp_path / "usual.txt"
    other.write_text("other")
    path.symlink_to(other)
    usual.touch()
    write_text(path, "new")
    assert not path.is_symlink()
    assert other.read_text() == "other"
    assert path.stat().st_mode == usual.stat().st_mode


def test_a_folder_that_cannot_be_written_is_named_by_its_target(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        write_text(tmp_path / "file" / "target.txt", "new")
    if os.name == "posix":
        with pytest.raises(OSError, match=r"/target\.txt'"):
            write_text(Path("/proc/target.txt"), "new")


@pytest.mark.parametrize("stopped", ["while writing", "between the renames"])
def test_a_folder_survives_a_writer_that_was_killed(tmp_path: Path, stopped: str) -> None:
    path = tmp_path / "data"
    with replacing_folder(path) as temporary:
        (temporary / "a").touch()
    (tmp_path / ".data.partial").mkdir()
    if stopped == "between the renames":
        path.rename(tmp_path / ".data.former")
    with suppress(KeyboardInterrupt), replacing_folder(path):
        assert names(path) == ["a"]
        raise KeyboardInterrupt
    assert names(path) == ["a"]
    assert names(tmp_path) == ["data"]
