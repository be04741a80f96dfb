"""Whole processes: how long they take, how much processor time, and what they print."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """What one process took, with all that it started and waited for.

    seconds: by the clock; cpu_seconds: of all cores; peak_memory: bytes, of the process itself (Linux; else 0)
    """

    printed: str
    seconds: float
    cpu_seconds: float
    peak_memory: int


def run(arguments: list[str], folder: Path | None = None, program: str = sys.executable) -> Run:
    """Run a program (Python) to its end; exits with its output where it fails."""
    start = time.perf_counter()
    with subprocess.Popen(
        [program, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | {"PYTHONPATH": str(folder or Path.cwd())},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        peak: list[int] = [0]
        watcher = threading.Thread(target=watch, args=(process.pid, peak))
        watcher.start()
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        watcher.join()
    if process.returncode:
        sys.exit(f"{program} {' '.join(arguments)} failed:\n{printed}")
    return Run(printed, seconds, usage.ru_utime + usage.ru_stime, peak[0])


def watch(pid: int, peak: list[int]) -> None:
    """Keep the peak memory of a process as Linux tells it, as long as it lives.

    What wait4 tells would be that of this process where it is larger, since the other began as a copy of it.
    """
    status = Path(f"/proc/{pid}/status")
    while True:
        try:
            told = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        except OSError:
            return
        if not told:
            return
        peak[0] = max(peak[0], 1024 * int(told[0].split()[1]))
        time.sleep(0.01)
