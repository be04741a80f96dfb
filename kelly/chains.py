"""The pipeline with one chain of stages a network, several of them at once: `kelly repro`.

Each chain is a `dvc repro` of its own, which shares DVC's locks and its cache with the others: what DVC has already
run, or was told in params.yaml, holds here as well. What they print is put together line by line under the name of the
network. On a terminal the last line of each chain, a progress bar for one, stays at the bottom.
"""

import codecs
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from queue import SimpleQueue

from joblib import cpu_count
from tqdm import tqdm

if os.name == "posix":
    import termios

from kelly.errors import KellyError
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


def reproduce(jobs: int) -> None:
    """Bring the whole pipeline up to date, `jobs` networks at a time.

    Raises KellyError, naming the networks, where stages fail; the others are finished all the same.
    """
    changed = changed_stages()
    if not changed:
        print("Data and pipelines are up to date.")
        return
    waiting = [name for name in LONGEST_FIRST if any(stage.endswith(f"@{name}") for stage in changed)]
    failed = []
    with side_by_side(min(jobs, max(1, len(waiting)))) as run:
        for name, code in run(waiting):
            if code:
                failed.append(name)
    if failed:
        raise KellyError(f"stages of {', '.join(failed)} failed, as told above; the other networks are finished. "
                         "Mend the cause, and the same command goes on")  # fmt: skip
    if subprocess.run([*DVC, "repro", "--single-item", "report"], check=False).returncode:
        raise KellyError("the pipeline could not be finished, as told above")


def changed_stages() -> list[str]:
    """The stages that DVC would run, as far as it can tell before it begins."""
    asked = subprocess.run([*DVC, "status", "--json"], capture_output=True, text=True, check=False)
    if asked.returncode:
        raise KellyError(f"DVC cannot tell what has changed:\n{asked.stderr.strip()}")
    return list(json.loads(asked.stdout))


Runner = Callable[[Sequence[str]], Iterator[tuple[str, int]]]


@contextmanager
def side_by_side(jobs: int) -> Iterator[Runner]:
    """Yield a function that runs the chains of networks, `jobs` at a time: name and exit code of each as it ends.

    When the block is left early, by Ctrl-C for one, the chains are asked to end and waited for.
    """
    slots: SimpleQueue[int] = SimpleQueue()
    for slot in range(jobs):
        slots.put(slot)
    running: set[subprocess.Popen[bytes]] = set()
    stopping = False

    def chain(name: str) -> int:
        if stopping:
            return 0
        slot = slots.get()
        with Screen(TASKS[name].label, slot) as screen, started(name, screen, jobs) as process:
            running.add(process)
            try:
                screen.follow()
                return process.wait()
            finally:
                running.discard(process)
                slots.put(slot)

    with ThreadPoolExecutor(max_workers=jobs) as pool:

        def run(names: Sequence[str]) -> Iterator[tuple[str, int]]:
            futures = {pool.submit(chain, name): name for name in names}
            for future in as_completed(futures):
                yield futures[future], future.result()

        try:
            yield run
        except BaseException:
            stopping = True
            interrupt(running)
            raise


def interrupt(running: set[subprocess.Popen[bytes]]) -> None:
    """Send Ctrl-C to chains until they have ended: a stage that was just ending itself lets DVC begin the next one."""
    while running:
        for process in list(running):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
        again = time.monotonic() + PATIENCE_S
        while running and time.monotonic() < again:
            time.sleep(0.05)


class Screen:
    """Where one chain prints: whole lines under its label, and on a terminal the line that it is at, at the bottom."""

    def __init__(self, label: str, slot: int) -> None:
        self.label = f"{label:<{WIDTH}} | "
        self.on_terminal = sys.stdout.isatty() and os.name == "posix"
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
                if text and not text.lstrip().startswith(ADVICE):
                    tqdm.write(self.label + text)
                    sys.stdout.flush()
            self.bar.set_description_str(self.label + line.rpartition("\r")[2].strip())

    def _read(self) -> bytes:
        try:
            return os.read(self.reading, 65_536)
        except OSError:  # so ends what a terminal has to tell
            return b""


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
        env=os.environ | {"LOKY_MAX_CPU_COUNT": str(max(1, cpu_count() // jobs))},
    )
    os.close(screen.writing)
    with process:
        yield process
