"""Several writers of one file, and what killed ones leave behind."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kelly.runtime import atomic
from kelly.runtime.atomic import replacing, replacing_folder, write_text

NUM_LINES = 20_000
CONTEXT = multiprocessing.get_context("spawn")


def content(writer: int) -> str:
    return f"{writer}\n" * NUM_LINES


def write_often(path: Path, writer: int, until: float) -> None:
    while time.monotonic() < until:
        write_text(path, content(writer))


def test_a_file_that_several_processes_write_is_never_torn(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_text(path, content(0))
    until = time.monotonic() + 2.0
    writers = [CONTEXT.Process(target=write_often, args=(path, i, until)) for i in range(1, 5)]
    for writer in writers:
        writer.start()
    complete = {content(i) for i in range(5)}
    while any(writer.is_alive() for writer in writers):
        assert path.read_text() in complete
    assert [writer.exitcode for writer in writers] == [0] * len(writers)
    assert list(tmp_path.iterdir()) == [path]


WRITE_AND_WAIT = """
import sys, time
from pathlib import Path
from kelly.runtime.atomic import replacing, replacing_folder

with {function}(Path(sys.argv[1])) as temporary:
    (temporary / "part" if temporary.is_dir() else temporary).write_text("half")
    print("written", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("function", [replacing, replacing_folder])
def test_what_a_killed_writer_left_is_removed_and_what_a_running_one_writes_is_not(
    tmp_path: Path, function: object
) -> None:
    path = tmp_path / "result.json"
    name = getattr(function, "__name__", "")
    command = [sys.executable, "-c", WRITE_AND_WAIT.format(function=name), str(path)]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    for writer in writers:
        assert writer.stdout
        assert writer.stdout.readline() == b"written\n"
    killed, running = writers
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert len(list(tmp_path.iterdir())) == 2
    try:
        getattr(atomic, name)(path).__enter__()  # clears up as it begins
        pids = {int(file.name.split("-")[2]) for file in tmp_path.iterdir() if ".partial-" in file.name}
        assert running.pid in pids
        assert pids <= {running.pid, os.getpid()}
    finally:
        running.kill()
        running.communicate()
        killed.communicate()


def test_what_another_machine_writes_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / ".result.partial-00000000-999999999-0.json"
    other.write_text("half")
    write_text(tmp_path / "result.json", "whole")
    assert other.exists()
