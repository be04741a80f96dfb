"""When a process is killed, those that it started end soon after."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from support.clone import Clone, choose

PATIENCE_S = 20.0

STAGE = """
import os, subprocess, sys
from kelly.runtime import orphans

code = "from kelly.runtime.orphans import end_with_launcher; end_with_launcher(); import time; time.sleep(90)"
subprocess.run(["sh", "-c", f"'{sys.executable}' -c '{code}'; true"], env=os.environ | {orphans.STAGE: "train"})
"""
WORKERS = """
import time, joblib
from kelly.sources.extraction.workers import workers

if __name__ == "__main__":
    with workers(3):
        list(joblib.Parallel(return_as="generator")([joblib.delayed(time.sleep)(90)]))  # two have nothing to do
"""
TRIALS = """
import time
from kelly.experiments.parallel import run_parallel

if __name__ == "__main__":
    list(run_parallel(time.sleep, [(90,), (90,)], 2, 2, "trial"))
"""


def kill_with_children(command: "subprocess.Popen[str]", num_children: int) -> list[psutil.Process]:
    """Kill a process once it has so many descendants; return those that still run after PATIENCE_S."""
    process = psutil.Process(command.pid)
    while len(children := process.children(recursive=True)) < num_children:
        assert command.poll() is None
        time.sleep(0.02)
    command.kill()
    command.communicate()
    _, alive = psutil.wait_procs(children, timeout=PATIENCE_S)
    return alive


@pytest.mark.parametrize(("script", "num_children"), [(STAGE, 2), (WORKERS, 4), (TRIALS, 3)])
def test_what_a_killed_process_started_ends(tmp_path: Path, script: str, num_children: int) -> None:
    (tmp_path / "script.py").write_text(script)
    command = subprocess.Popen([sys.executable, str(tmp_path / "script.py")], stderr=subprocess.DEVNULL, text=True)
    assert kill_with_children(command, num_children) == []


@pytest.mark.pipeline
@pytest.mark.parametrize("seconds", [0.0, 1.0, 3.0])
def test_ranks_end_when_torchrun_is_killed_while_they_start(
    finished_clone: Callable[[Path], Clone], tmp_path: Path, seconds: float
) -> None:
    choose(finished_clone(tmp_path).folder, {"epochs": 2_000, "early_stopping_patience": 2_000})
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    command = Clone.at(tmp_path).start(*torchrun, "-m", "stages.train", "groovepredictor")
    while len(psutil.Process(command.pid).children()) < 2:
        assert command.poll() is None
        time.sleep(0.01)
    time.sleep(seconds)
    assert kill_with_children(command, 2) == []


@pytest.mark.pipeline
@pytest.mark.parametrize("seconds", [0.0, 4.0])
def test_stages_end_when_kelly_repro_is_killed(
    finished_clone: Callable[[Path], Clone], tmp_path: Path, seconds: float
) -> None:
    choose(finished_clone(tmp_path).folder, {"epochs": 2_000, "early_stopping_patience": 2_000})
    command = Clone.at(tmp_path).start("kelly", "repro")
    while len(psutil.Process(command.pid).children(recursive=True)) < 2:
        assert command.poll() is None
        time.sleep(0.01)
    time.sleep(seconds)
    assert kill_with_children(command, 1) == []
