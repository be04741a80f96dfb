"""`kelly repro`: one chain of stages per network, several chains at a time.

Each chain is a `dvc repro` of its own and shares DVC's locks and cache with the others, so that dvc.lock and the run
cache are the same as after `dvc repro`. Their output is merged line by line, labelled with the network. On a terminal
the bottom lines show the current line of each chain, a progress bar for one, and the progress of the whole pipeline.
"""

import codecs
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import NoReturn

from joblib import cpu_count
from tqdm import tqdm

if os.name == "posix":
    import termios

from kelly.config.params import load
from kelly.pipeline.run_dvc import WAIT_S
from kelly.pipeline.status import changed_stages, check_after_run, check_recorded
from kelly.runtime.errors import KellyError
from kelly.runtime.terminal import allow_colours
from kelly.tasks import TASKS

LONGEST_FIRST = sorted(TASKS, key=lambda name: -TASKS[name].num_parameters)
# What DVC prints at the end of every `repro`; the last `repro`, which is not a chain, prints it once.
ADVICE = (
    "To track the changes with git",
    "git add ",
    "To enable auto staging",
    "dvc config core.autostage",
    "Use `dvc push`",
)
LABEL_WIDTH = max(len(task.label) for task in TASKS.values())
STAGES = ("generate", "split", "train", "export", "evaluate")  # of a chain; DVC prints a line for each, run or not
STAGE_LINE = re.compile(rf"(Running stage|Stage) '({'|'.join(STAGES)})@")
REFRESH_S = 0.5


def reproduce(jobs: int) -> None:
    """Bring the whole pipeline up to date, `jobs` networks at a time.

    Raises KellyError, naming the networks, where stages fail; the other networks are finished first.
    """
    allow_colours(sys.stdout, sys.stderr)
    changed = changed_stages()
    if not changed:
        check_recorded(load())
        print("Data and pipelines are up to date.")
        return
    names = [name for name in LONGEST_FIRST if any(stage.endswith(f"@{name}") for stage in changed)]
    failed = run_chains(names, min(jobs, len(names))) if names else []
    if failed:
        raise KellyError(f"stages of {', '.join(failed)} failed, see above; the other networks are finished. "
                         "Correct the cause, and the same command continues")  # fmt: skip
    report = subprocess.run([*dvc(), "repro", "--single-item", "report"], env=environment(), check=False)
    if report.returncode:
        raise KellyError("the report failed, see above")
    check_after_run()


def run_chains(names: Sequence[str], jobs: int) -> list[str]:
    """Run the chains of networks, `jobs` at a time; return the names of those that failed.

    On Ctrl-C and any other error the chains are interrupted and waited for.
    """
    positions: SimpleQueue[int] = SimpleQueue()
    for position in range(jobs):
        positions.put(position)
    running: set[subprocess.Popen[bytes]] = set()

    pipeline = tqdm(
        desc=f"{'pipeline':<{LABEL_WIDTH}} | ", total=len(STAGES) * len(names), unit="stage", position=jobs,
        leave=False, disable=not on_terminal(), mininterval=REFRESH_S, miniters=0,
        bar_format="{desc}{percentage:3.0f}% {bar} {n_fmt}/{total_fmt} stages, {elapsed}",
    )  # fmt: skip

    def chain(name: str) -> int:
        position = positions.get()
        try:
            with Output(TASKS[name].label, position, pipeline) as output, start(name, output, jobs) as process:
                running.add(process)
                output.follow()
            running.discard(process)
            return process.returncode
        finally:
            positions.put(position)

    with pipeline, ThreadPoolExecutor(max_workers=jobs) as pool:
        futures = {pool.submit(chain, name): name for name in names}
        try:
            return [futures[future] for future in as_completed(futures) if future.result() != 0]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            # Repeatedly: where a stage was just ending by itself, DVC begins the next one.
            while unfinished := [future for future in futures if not future.done()]:
                for process in list(running):
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGINT)
                wait(unfinished, timeout=WAIT_S)
            raise


def on_terminal() -> bool:
    """Whether bars can be shown."""
    return sys.stdout.isatty() and os.name == "posix"


class Output:
    """The output of one chain: complete lines under its label; on a terminal its current line at the bottom.

    pipeline: the bar of the whole pipeline, which advances by one as each stage of the chain ends
    """

    def __init__(self, label: str, position: int, pipeline: "tqdm[NoReturn]") -> None:
        self.label = f"{label:<{LABEL_WIDTH}} | "
        self.pipeline, self.in_stage = pipeline, False
        self.on_terminal = on_terminal()
        # A chain shows its bars only where it is on a terminal itself.
        self.read_fd, self.write_fd = os.openpty() if self.on_terminal else os.pipe()
        if self.on_terminal:
            columns, lines = shutil.get_terminal_size()
            termios.tcsetwinsize(self.write_fd, (lines, max(20, columns - len(self.label))))
        self.bar = tqdm(bar_format="{desc}", position=position, leave=False, disable=not self.on_terminal)

    def __enter__(self) -> "Output":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()
        os.close(self.read_fd)

    def follow(self) -> None:
        """Print what the chain prints until it ends."""
        decoder, line = codecs.getincrementaldecoder("utf-8")(errors="replace"), ""
        while data := self._read():
            *complete, line = (line + decoder.decode(data).replace("\r\n", "\n")).split("\n")
            for text in (text.rpartition("\r")[2].rstrip() for text in complete):
                if STAGE_LINE.match(text):
                    self.stage_ended()
                    self.in_stage = True
                if text and not text.lstrip().startswith(ADVICE):
                    tqdm.write(self.label + text)
                    sys.stdout.flush()
            self.bar.set_description_str(self.label + line.rpartition("\r")[2].strip())
            self.pipeline.update(0)  # its clock
        self.stage_ended()

    def stage_ended(self) -> None:
        """Count the stage that the chain was in, if any."""
        # Each chain is followed by its own thread.
        with self.pipeline.get_lock():  # type: ignore[no-untyped-call]
            self.pipeline.update(int(self.in_stage))

    def _read(self) -> bytes:
        try:
            return os.read(self.read_fd, 65_536)
        except OSError:  # the end of a terminal's output
            return b""


def dvc() -> list[str]:
    """The command that runs DVC until this process ends."""
    return [sys.executable, "-m", "kelly.pipeline.run_dvc", str(os.getpid())]


def environment() -> dict[str, str]:
    """The environment in which the stages' `python` is the one that runs this, activated or not."""
    folder, path = Path(sys.executable).parent, os.environ.get("PATH", os.defpath)
    return os.environ | {"PATH": f"{folder}{os.pathsep}{path}"}


def start(name: str, output: Output, jobs: int) -> subprocess.Popen[bytes]:
    """Start the chain of one network, in its own process group, so that it can be interrupted as a whole.

    Its share of the cores limits the processes that read music.
    """
    process = subprocess.Popen(
        [*dvc(), "--wait-for-lock", "repro", f"evaluate@{name}"],
        stdin=subprocess.DEVNULL, stdout=output.write_fd, stderr=output.write_fd, start_new_session=True,
        env=environment() | {"LOKY_MAX_CPU_COUNT": str(max(1, cpu_count() // jobs))},
    )  # fmt: skip
    os.close(output.write_fd)
    return process
