"""Several trainings in parallel, silenced, with one progress bar."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, TypeVar

from joblib import Parallel, cpu_count, delayed
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

from kelly.runtime.errors import KellyError
from kelly.runtime.orphans import end_with_parent

T = TypeVar("T")


def run_parallel(
    function: Callable[..., T], arguments: Iterable[tuple[Any, ...]], total: int, num_jobs: int, unit: str
) -> Iterator[T]:
    """Yield the results of `function(*arguments)` as they complete, from `num_jobs` processes (1: this one).

    total, unit: of the progress bar. Raises KellyError where a process was killed.
    """
    calls = (delayed(silenced)(function, *args) for args in arguments)
    with tqdm(total=total, unit=unit, disable=None, leave=False) as bar:
        bar.refresh()
        try:
            parallel = Parallel(n_jobs=num_jobs, return_as="generator_unordered", initializer=end_with_parent)
            for result in parallel(calls):
                bar.update()
                yield result
        except TerminatedWorkerError:
            raise KellyError(
                f"a process was killed while working on a {unit} (out of memory?); finished work is kept, and the same "
                "command resumes"
            ) from None
        except BaseException:
            if num_jobs > 1:  # the workers would continue to train
                get_reusable_executor().shutdown(kill_workers=True)
            raise


def silenced(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function with stdout and stderr discarded."""
    with Path(os.devnull).open("w", errors="replace") as null, redirect_stdout(null), redirect_stderr(null):
        return function(*arguments)


def num_parallel(num_jobs: int | None, num_threads: int) -> int:
    """The number of parallel trainings: num_jobs, or one per `num_threads` cores. Raises KellyError for less than 1."""
    if num_jobs is not None and num_jobs < 1:
        raise KellyError(f"--jobs {num_jobs}: expected 1 or more")
    return num_jobs or max(1, cpu_count() // num_threads)
