"""Whole processes: how long they take, how much processor time, and what they print."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """What one process took, with all that it started and waited for.

    seconds: by the clock; cpu_seconds: of all cores; peak_memory: bytes, of the largest single process
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
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{program} {' '.join(arguments)} failed:\n{printed}")
    cpu = usage.ru_utime + usage.ru_stime
    return Run(printed, time.perf_counter() - start, cpu, usage.ru_maxrss * 1024)
