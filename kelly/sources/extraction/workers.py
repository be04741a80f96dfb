"""Where files are read side by side: on this machine's cores, or on the workers of a Dask cluster."""

from collections.abc import Iterator
from contextlib import contextmanager

import joblib

from kelly.runtime.errors import KellyError

CONNECT_S = 10


@contextmanager
def workers(num_workers: int = -1, dask: str | None = None) -> Iterator[None]:
    """Have all that joblib runs within run on `num_workers` processes (−1: one a core), or on a Dask cluster.

    dask: the address of its scheduler, as tcp://host:8786; its workers need this project installed, and the folders of
    music and data under the same paths. Raises KellyError where there is no scheduler, or no worker.
    """
    if dask is None:
        with joblib.parallel_config(backend="loky", n_jobs=num_workers):
            yield
        return
    try:
        from distributed import Client
    except ImportError:
        raise KellyError("extraction.dask is set, but Dask is not installed: pip install -e '.[cluster]'") from None
    try:
        client = Client(dask, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise KellyError(
            f"extraction.dask: no scheduler at {dask!r} ({error}); start one with `dask scheduler`, or set it to null"
        ) from None
    with client:
        if not client.scheduler_info()["workers"]:
            raise KellyError(f"extraction.dask: the scheduler at {dask} has no workers; start some: dask worker {dask}")
        with joblib.parallel_config(backend="dask"):
            yield
