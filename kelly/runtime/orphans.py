"""A process ends with the one that started it, even where that was killed and could stop nothing.

Otherwise its work would go on unseen, for as long as it takes, with the lock and the cores that the next run needs. A
thread looks at the other process twice a second: no signal, pipe or option of an operating system does the same on all
of them, through DVC and its shell, and however the other one ended.
"""

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import parent_process
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

POLL_S = 0.5
STAGE, TORCHRUN = "DVC_STAGE", "TORCHELASTIC_RUN_ID"  # in the environment of what DVC, and what torchrun, started


def end_with_parent() -> None:
    """Call in a worker of joblib when it starts."""
    parent = parent_process()
    assert parent is not None
    assert parent.pid is not None
    when_ended(parent.pid, end)


def end_with_launcher() -> None:
    """Call in a stage when it starts: it ends with the DVC or the torchrun that started it, if any."""
    if not {STAGE, TORCHRUN} & os.environ.keys():
        return
    import psutil

    if TORCHRUN in os.environ:
        launcher = psutil.Process().parent()
        if launcher is None or not runs_python(launcher):
            sys.exit("error: torchrun ended before this process had begun; start it again")
        when_ended(launcher.pid, end)
    if STAGE in os.environ:
        # Between them may be a shell, which has the stage's environment. What started DVC, such as a terminal, may end.
        with suppress(psutil.Error):  # the environment cannot be read: nothing is known of DVC
            for ancestor in psutil.Process().parents():
                if ancestor.pid == 1 and not runs_python(ancestor):
                    sys.exit("error: DVC ended before this process had begun; start it again")
                if ancestor.environ().get(STAGE) != os.environ[STAGE]:
                    when_ended(ancestor.pid, end)
                    break


def runs_python(process: "psutil.Process") -> bool:
    """Whether a process is Python's, as torchrun is, and not what becomes the parent of one whose parent has ended."""
    import psutil

    try:
        return process.exe() == psutil.Process().exe() or "python" in Path(process.exe()).name
    except psutil.Error:  # of another user
        return False


def when_ended(pid: int, act: Callable[[], None]) -> None:
    """Call `act` in a thread once the process `pid` has ended."""
    import psutil

    def is_alive(process: psutil.Process) -> bool:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE

    def watch() -> None:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            while is_alive(process):
                time.sleep(POLL_S)
        act()

    Thread(target=watch, daemon=True, name=f"watches process {pid}").start()


def end() -> None:
    """End this process, and the programs that it runs."""
    import psutil

    for child in psutil.Process().children():
        # joblib's own, which removes its temporary files and ends by itself, and its workers, which watch this process.
        with suppress(psutil.Error):
            if "joblib" not in " ".join(child.cmdline()):
                child.kill()
    os._exit(1)


def interrupt_again_and_again(pause_s: float) -> None:
    """Interrupt this process and all below it, as Ctrl-C does; repeatedly, since DVC may begin another stage."""
    import signal

    import psutil

    while True:
        for process in (*psutil.Process().children(recursive=True), psutil.Process()):
            with suppress(psutil.Error):
                process.send_signal(signal.SIGINT)
        time.sleep(pause_s)
