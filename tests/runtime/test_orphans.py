"""Processes end with the one that started them, and only with that one."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from support.clone import Clone

from kelly.runtime import orphans

TIMEOUT_S = 60
# A process that starts another, prints its id and waits.
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], env=dict(pair.split("=") for pair in sys.argv[2:]))
print(child.pid, flush=True)
child.wait()
"""
BEGIN = "from kelly.runtime.orphans import end_with_launcher; end_with_launcher()"
WAIT = "print('ready', flush=True); import time; time.sleep(600)"
# As DVC and a user do: the parent's own child, or that of a shell which is a part of the stage.
DIRECT, THROUGH_A_SHELL = (
    f"{BEGIN}; {WAIT}",
    f"import subprocess, sys; subprocess.run([sys.executable, '-c', {f'{BEGIN}; {WAIT}'!r}])",
)
WORKERS = """
import joblib, time
from kelly.runtime.orphans import end_with_parent
joblib.Parallel(n_jobs=2, initializer=end_with_parent)(joblib.delayed(print)("ready", flush=True) for _ in range(2))
time.sleep(600)
"""
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts Python processes; what is left of them in the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen([sys.executable, "-c", *arguments], stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def lines(process: "subprocess.Popen[str]", number: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(number)]


def below(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def variables(**more: str) -> list[str]:
    return [f"{name}={value}" for name, value in {"PATH": os.environ["PATH"], **more}.items()]


@pytest.mark.parametrize(
    ("variable", "child"),
    [(orphans.TORCHRUN, DIRECT), (orphans.STAGE, DIRECT), (orphans.STAGE, THROUGH_A_SHELL)],
    ids=["torchrun", "DVC", "DVC through a shell"],
)
def test_a_stage_ends_with_what_started_it(start: Start, variable: str, child: str) -> None:
    parent = start(PARENT, child, *variables(**{variable: "x"}))
    assert lines(parent, 2)[1] == "ready"
    children = below(parent)
    parent.kill()  # and not waited for: it stays a zombie
    assert psutil.wait_procs(children, timeout=TIMEOUT_S)[1] == []


def test_a_stage_outlives_what_started_dvc_and_any_other_command_its_shell(start: Start) -> None:
    stage = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {DIRECT!r}], env={{'DVC_STAGE': 'x'}})"
    for child in (stage, DIRECT):
        parent = start(PARENT, child, *variables())
        assert lines(parent, 2)[1] == "ready"
        children = below(parent)
        parent.kill()
        assert psutil.wait_procs(children, timeout=3 * orphans.POLL_S)[0] == []
        for process in children:
            process.kill()


def test_workers_of_joblib_end_with_a_killed_process(start: Start) -> None:
    parent = start(WORKERS)
    assert lines(parent, 2) == ["ready", "ready"]
    workers = below(parent)
    assert len(workers) > 2
    parent.kill()
    assert psutil.wait_procs(workers, timeout=TIMEOUT_S)[1] == []


@pytest.mark.parametrize("variable", [orphans.STAGE, orphans.TORCHRUN])
def test_a_stage_ends_where_what_started_it_ended_before_it_began(start: Start, variable: str) -> None:
    begin = f"import time; time.sleep(1); {DIRECT}"  # by then it has another parent
    parent = start(PARENT, begin, *variables(**{variable: "x"}))
    lines(parent, 1)
    children = below(parent)
    parent.kill()
    parent.wait()
    assert psutil.wait_procs(children, timeout=TIMEOUT_S)[1] == []


def test_the_programs_that_a_process_runs_end_with_it(start: Start) -> None:
    program = f"import subprocess, sys; {BEGIN}; subprocess.run([sys.executable, '-c', {WAIT!r}])"
    parent = start(PARENT, program, *variables(**{orphans.STAGE: "x"}))
    assert lines(parent, 2)[1] == "ready"
    children = below(parent)
    assert len(children) == 2
    parent.kill()
    assert psutil.wait_procs(children, timeout=TIMEOUT_S)[1] == []


@pytest.mark.pipeline
def test_dvc_and_its_stages_end_with_a_killed_kelly_repro(
    finished_clone: Callable[[Path], Clone], tmp_path: Path
) -> None:
    clone = finished_clone(tmp_path)
    clone.set("epochs: 2 ", "epochs: 90000 ")
    clone.set("early_stopping_patience: 10 ", "early_stopping_patience: 90000 ")
    started = clone.start("kelly", "repro", "--jobs", "2")
    processes: list[psutil.Process] = []
    while not any("stages.train" in process.info["cmdline"] for process in processes):
        assert started.poll() is None
        time.sleep(0.1)
        processes = [
            process
            for process in psutil.process_iter(["cmdline", "cwd"])
            if process.info["cwd"] == str(tmp_path) and process.pid != started.pid
        ]
    started.kill()
    started.communicate()  # to the end of what all of them print
    assert psutil.wait_procs(processes, timeout=TIMEOUT_S)[1] == []
