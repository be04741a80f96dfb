"""Processes that this project starts end when the one that started them was killed.

Otherwise they would read music or train for nothing, or write what a new command writes as well.
"""

import os
import sys
import threading
import time
from functools import cache

from kelly.runtime.errors import KellyError

VARIABLE = "KELLY_STARTED_BY"  # process number; DVC is between `kelly repro` and its stages
POLL_S = 0.5
NOBODY = 2**31 - 1  # no process has this number


@cache
def exit_with_starter() -> None:
    """Watch the process that started this one, and exit with 1 soon after it has ended.

    That is the parent of a worker of joblib or Dask, `kelly repro` of a stage (in VARIABLE), or torchrun; nothing
    happens in any other process.
    """
    from multiprocessing import parent_process

    variable, parent = os.environ.get(VARIABLE), parent_process()
    if parent is not None and parent.pid is not None:
        pid = parent.pid
    elif variable is not None:
        if not variable.isdecimal():
            raise KellyError(f"{VARIABLE} is {variable!r}, expected the number of a process; unset it")
        pid = int(variable)
    elif "TORCHELASTIC_RUN_ID" in os.environ:
        pid = _torchrun()
    else:
        return
    threading.Thread(target=_watch, args=(pid,), daemon=True, name="exit_with_starter").start()


def _torchrun() -> int:
    """The parent, or a process that cannot be, where torchrun was killed already and init has taken this one over."""
    import psutil

    parent = psutil.Process(os.getppid())
    is_init = parent.pid == 1 or parent.name() == "systemd"
    return NOBODY if is_init and "torch" not in " ".join(parent.cmdline()) else parent.pid


def _watch(pid: int) -> None:
    import psutil

    try:
        starter = psutil.Process(pid)
        while starter.is_running() and starter.status() != psutil.STATUS_ZOMBIE:
            time.sleep(POLL_S)
    except psutil.NoSuchProcess:
        pass
    try:
        print("the process that started this one has ended, and so does this one", file=sys.stderr, flush=True)
    finally:
        os._exit(1)  # from a thread; what was not finished is as after a kill
