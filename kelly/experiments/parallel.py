"""Many trainings at once, each silent, one bar for all."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing import parent_process
from pathlib import Path
from typing import Any, TypeVar

from joblib import Parallel, cpu_count, delayed
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

from kelly.runtime.errors import KellyError

T = TypeVar("T")


def each(
    work: Callable[..., T], arguments: Iterable[tuple[Any, ...]], total: int, num_jobs: int, what: str
) -> Iterator[T]:
    """What `work` returns for each of `arguments`, as it comes, from `num_jobs` processes at a time (1: this one).

    total, what: how many there are, and what one is called, for the bar
    """
    calls = (delayed(silent)(work, *given) for given in arguments)
    with tqdm(total=total, unit=what, disable=None, leave=False) as bar:
        bar.refresh()
        try:
            for found in Parallel(n_jobs=num_jobs, return_as="generator_unordered")(calls):
                bar.update()
                yield found
        except TerminatedWorkerError:
            raise KellyError(
                f"a process that worked on a {what} was killed (perhaps the memory of this machine is full); what was "
                "finished is kept, and the same command goes on"
            ) from None
        except BaseException:
            if num_jobs > 1:  # or they would train on for nobody
                get_reusable_executor().shutdown(kill_workers=True)
            raise


def silent(work: Callable[..., T], *arguments: Any) -> T:
    """Do some work without printing."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        return work(*arguments)


def stop_if_orphaned(_: Any = None) -> None:
    """End this process's work where the process that wants it is gone: it was killed, and may have begun anew."""
    parent = parent_process()
    if parent is not None and os.getppid() != parent.pid:
        os._exit(1)  # joblib would keep it for minutes, waiting for the next piece of work


def jobs(wanted: int | None, num_threads: int) -> int:
    """How many trainings go at a time: as many as wanted, or one a core for each thread. KellyError for less than 1."""
    if wanted is not None and wanted < 1:
        raise KellyError(f"--jobs {wanted}: expected 1 or more")
    return wanted or max(1, cpu_count() // num_threads)
