"""Where files are read in parallel: on this machine's cores, or on the workers of a Dask cluster."""

import logging
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from kelly.runtime.errors import KellyError
from kelly.runtime.orphans import end_with_parent

CONNECT_S = 10


@contextmanager
def workers(num_workers: int = -1, dask: str | None = None) -> Iterator[None]:
    """Run all joblib work inside on `num_workers` processes (−1: one per core), or on a Dask cluster.

    dask: the address of its scheduler, as tcp://host:8786; its workers need this project installed, and the folders of
    music and data under the same paths. Raises KellyError where there is no scheduler, or no worker, or it is lost.
    """
    try:
        with _parallel_config(num_workers, dask):
            yield
    except Exception as error:
        if not was_killed(error):
            raise
        raise KellyError("set fewer workers: extraction.num_workers; a worker process was killed, probably because "
                         "memory ran out") from error  # fmt: skip


def was_killed(error: Exception) -> bool:
    """Whether an error means that a worker process was killed."""
    return isinstance(error, BrokenProcessPool) or type(error).__name__ == "KilledWorker"  # joblib's, and Dask's


@contextmanager
def _parallel_config(num_workers: int, dask: str | None) -> Iterator[None]:
    import joblib

    if dask is None:
        with joblib.parallel_config(backend="loky", n_jobs=num_workers, initializer=end_with_parent):
            yield
        return
    try:
        from distributed import Client
    except ImportError:
        raise KellyError("pip install -e '.[cluster]'; extraction.dask is set, but Dask is not installed") from None
    for name in ("distributed.client", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # or a lost scheduler is eighty lines before the message
    try:
        client = Client(dask, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise KellyError(
            f"start one with `dask scheduler`, or set extraction.dask to null; no scheduler at {dask!r} ({error})"
        ) from None
    with client:
        if not client.scheduler_info()["workers"]:
            raise KellyError(f"start some with `dask worker {dask}`; the scheduler of extraction.dask has no workers")
        try:
            with joblib.parallel_config(backend="dask"):
                yield
        except Exception as error:
            if not type(error).__module__.startswith("distributed."):
                raise
            reason = str(error).strip().rpartition("\n")[2]
            raise KellyError(
                "start the cluster of extraction.dask again, and run the same command, which reads only what is "
                f"missing; the scheduler was lost ({type(error).__name__}: {reason:.200})"
            ) from error
