"""The pipeline with one chain of stages a network, several of them at once: `kelly repro`.

Each chain is a `dvc repro` of its own, which shares DVC's locks and its cache with the others: what DVC has already
run, or was told in params.yaml, holds here as well. What they print is put together line by line under the name of the
network. On a terminal the last line of each chain, a progress bar for one, stays at the bottom, and below them how far
the whole pipeline is.
"""

import codecs
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import NoReturn

from joblib import cpu_count
from tqdm import tqdm

if os.name == "posix":
    import termios

from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS

DVC = (sys.executable, "-m", "dvc")
LONGEST_FIRST = sorted(TASKS, key=lambda name: -TASKS[name].num_parameters)
PATIENCE_S = 2.0
# What DVC advises at the end of every `repro`; the last one, which is not a chain, says it once.
ADVICE = (
    "To track the changes with git",
    "git add ",
    "To enable auto staging",
    "dvc config core.autostage",
    "Use `dvc push`",
)
WIDTH = max(len(task.label) for task in TASKS.values())
PIPELINE = "pipeline"
STAGES = ("generate", "split", "train", "export", "evaluate")  # of a chain; DVC has a line for each, run or not
STAGE_BEGINS = re.compile(rf"(Running stage|Stage) '({'|'.join(STAGES)})@")
REFRESH_S = 0.5


def reproduce(jobs: int) -> None:
    """Bring the whole pipeline up to date, `jobs` networks at a time.

    Raises KellyError, naming the networks, where stages fail; the others are finished all the same.
    """
    changed = changed_stages()
    if not changed:
        print("Data and pipelines are up to date.")
        return
    waiting = [name for name in LONGEST_FIRST if any(stage.endswith(f"@{name}") for stage in changed)]
    failed = side_by_side(waiting, min(jobs, len(waiting))) if waiting else []
    if failed:
        raise KellyError(f"stages of {', '.join(failed)} failed, as told above; the other networks are finished. "
                         "Mend the cause, and the same command goes on")  # fmt: skip
    last = subprocess.run([*DVC, "repro", "--single-item", "report"], env=with_this_python(), check=False)
    if last.returncode:
        raise KellyError("the pipeline could not be finished, as told above")


def changed_stages() -> list[str]:
    """The stages that DVC would run, as far as it can tell before it begins."""
    asked = subprocess.run([*DVC, "status", "--json"], capture_output=True, text=True, check=False)
    if asked.returncode:
        raise KellyError(f"DVC cannot tell what has changed:\n{asked.stderr.strip()}")
    return list(json.loads(asked.stdout))


def side_by_side(names: Sequence[str], jobs: int) -> list[str]:
    """Run the chains of networks, `jobs` at a time; return the names of those that failed.

    On Ctrl-C and any other error the chains are asked to end, and waited for.
    """
    slots: SimpleQueue[int] = SimpleQueue()
    for slot in range(jobs):
        slots.put(slot)
    running: set[subprocess.Popen[bytes]] = set()

    whole = tqdm(
        desc=f"{PIPELINE:<{WIDTH}} | ", total=len(STAGES) * len(names), unit="stage", position=jobs, leave=False,
        disable=not on_terminal(), bar_format="{desc}{percentage:3.0f}% {bar} {n_fmt}/{total_fmt} stages, {elapsed}",
        mininterval=REFRESH_S, miniters=0,
    )  # fmt: skip

    def chain(name: str) -> int:
        slot = slots.get()
        try:
            with Screen(TASKS[name].label, slot, whole) as screen, started(name, screen, jobs) as process:
                running.add(process)
                screen.follow()
            running.discard(process)
            return process.returncode
        finally:
            slots.put(slot)

    with whole, ThreadPoolExecutor(max_workers=jobs) as pool:
        chains = {pool.submit(chain, name): name for name in names}
        try:
            return [chains[done] for done in as_completed(chains) if done.result() != 0]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            # Again and again: a stage that was just ending by itself lets DVC begin the next one.
            while unfinished := [future for future in chains if not future.done()]:
                for process in list(running):
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGINT)
                wait(unfinished, timeout=PATIENCE_S)
            raise


def on_terminal() -> bool:
    """Whether bars can be shown."""
    return sys.stdout.isatty() and os.name == "posix"


class Screen:
    """Where one chain prints: whole lines under its label, and on a terminal the line that it is at, at the bottom.

    whole: the bar of the whole pipeline, which goes on by one as each stage of the chain ends
    """

    def __init__(self, label: str, slot: int, whole: "tqdm[NoReturn]") -> None:
        self.label = f"{label:<{WIDTH}} | "
        self.whole, self.begun = whole, False
        self.on_terminal = on_terminal()
        # A chain that is to show its bars must believe that it is on a terminal itself.
        self.reading, self.writing = os.openpty() if self.on_terminal else os.pipe()
        if self.on_terminal:
            columns, lines = shutil.get_terminal_size()
            termios.tcsetwinsize(self.writing, (lines, max(20, columns - len(self.label))))
        self.bar = tqdm(bar_format="{desc}", position=slot, leave=False, disable=not self.on_terminal)

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()
        os.close(self.reading)

    def follow(self) -> None:
        """Print what comes until the chain ends."""
        decoder, line = codecs.getincrementaldecoder("utf-8")(errors="replace"), ""
        while more := self._read():
            *lines, line = (line + decoder.decode(more).replace("\r\n", "\n")).split("\n")
            for whole in lines:
                text = whole.rpartition("\r")[2].rstrip()
                if STAGE_BEGINS.match(text):
                    self.stage_ended()
                    self.begun = True
                if text and not text.lstrip().startswith(ADVICE):
                    tqdm.write(self.label + text)
                    sys.stdout.flush()
            self.bar.set_description_str(self.label + line.rpartition("\r")[2].strip())
            self.whole.update(0)  # its clock
        self.stage_ended()

    def stage_ended(self) -> None:
        """Count the stage that the chain was at, if it was at any."""
        # Of the chains each is followed by a thread of its own.
        with self.whole.get_lock():  # type: ignore[no-untyped-call]
            self.whole.update(int(self.begun))

    def _read(self) -> bytes:
        try:
            return os.read(self.reading, 65_536)
        except OSError:  # so ends what a terminal has to tell
            return b""


def with_this_python() -> dict[str, str]:
    """The environment, in which the stages' `python` is the one that runs this, activated or not."""
    folder, others = Path(sys.executable).parent, os.environ.get("PATH", os.defpath)
    return os.environ | {"PATH": f"{folder}{os.pathsep}{others}"}


@contextmanager
def started(name: str, screen: Screen, jobs: int) -> Iterator[subprocess.Popen[bytes]]:
    """The chain of one network, in a process group of its own, so that it can be ended as a whole.

    What reads music with one process a core is told of its share of the cores.
    """
    process = subprocess.Popen(
        [*DVC, "--wait-for-lock", "repro", f"evaluate@{name}"],
        stdin=subprocess.DEVNULL,
        stdout=screen.writing,
        stderr=screen.writing,
        start_new_session=True,
        env=with_this_python() | {"LOKY_MAX_CPU_COUNT": str(max(1, cpu_count() // jobs))},
    )
    os.close(screen.writing)
    with process:
        yield process
