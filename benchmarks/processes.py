"""Run a program and measure its time, processor time and peak memory."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Run:
    """A finished process and its children.

    seconds: wall time; cpu_seconds: of all cores; peak_memory: bytes
    """

    output: str
    seconds: float
    cpu_seconds: float
    peak_memory: float


def peak_rss(process: psutil.Process) -> float:
    """Peak resident memory of one process, in bytes (Linux).

    ru_maxrss of wait4 would be this process's own where that is larger, because the child starts as a copy of it.
    """
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next((1024.0 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0.0)


def tree_pss(process: psutil.Process) -> float:
    """Proportional set size of a process and all its children, in bytes."""
    total = 0.0
    for p in [process, *process.children(recursive=True)]:
        try:
            total += p.memory_full_info().pss
        except psutil.Error:
            continue
    return total


def run(
    command: list[str],
    folder: Path | None = None,
    memory: Callable[[psutil.Process], float] = peak_rss,
    sampling_s: float = 0.01,
) -> Run:
    """Run a program to its end in `folder`, sampling the maximum of `memory`; exit with its output if it fails."""
    environment = os.environ | {"PYTHONPATH": str(folder or Path.cwd())}
    start = time.perf_counter()
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        peak = [0.0]
        sampler = threading.Thread(target=sample, args=(process.pid, memory, sampling_s, peak))
        sampler.start()
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        sampler.join()
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{output}")
    return Run(output, seconds, usage.ru_utime + usage.ru_stime, peak[0])


def sample(pid: int, memory: Callable[[psutil.Process], float], sampling_s: float, peak: list[float]) -> None:
    """Keep the maximum of `memory` in `peak` until the process ends."""
    try:
        process = psutil.Process(pid)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            peak[0] = max(peak[0], memory(process))
            time.sleep(sampling_s)
    except (psutil.Error, OSError):  # it has ended
        return
