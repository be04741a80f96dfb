"""Commands that are started, killed at a given time, and followed by the processes that they leave behind."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
from support.clone import environment

GRACE_S = 15.0  # within which a process has to notice that its parent was killed
PAUSE_S = 0.2


def run_for(command: list[str], folder: Path, log: Path, seconds: float | None, group: bool) -> int | None:
    """Run a command in a process group of its own; kill it after `seconds`, with its group or alone.

    Returns its exit code, or None where it was killed. Its output is appended to `log`.
    """
    with log.open("ab") as file:
        file.write(f"$ {' '.join(command)}\n".encode())
        file.flush()
        started = subprocess.Popen(
            command, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=file, stderr=file,
            start_new_session=True,
        )  # fmt: skip
        try:
            return started.wait(seconds)
        except subprocess.TimeoutExpired:
            (os.killpg if group else os.kill)(started.pid, signal.SIGKILL)
            started.wait()
            return None


def survivors(folder: Path) -> list[psutil.Process]:
    """The processes whose working directory is in a folder, as all have that a command of a clone starts."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(folder):
                found.append(process)
    return found


def stop_orphans(folder: Path) -> list[str]:
    """Wait for the processes that a killed command left; kill those that remain, and return their command lines."""
    deadline = time.monotonic() + GRACE_S
    while (left := survivors(folder)) and time.monotonic() < deadline:
        time.sleep(PAUSE_S)
    orphans = []
    while left:  # again: one of them may have started another meanwhile
        for process in left:
            with suppress(psutil.Error):
                orphans.append(" ".join(process.cmdline())[:150])
                process.kill()
        time.sleep(PAUSE_S)
        left = survivors(folder)
    return orphans
