"""Data-parallel training of one network by several processes, started by torchrun.

Each process takes its share of every batch. Gradients are summed at every step, so that all take the same steps.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from kelly.runtime.console import rank_and_world_size
from kelly.runtime.errors import KellyError
from kelly.runtime.system_errors import is_out_of_memory

T = TypeVar("T")

# For a process that hangs or cannot be reached (one that ends is noticed at once). Long enough for a main process that
# writes to a slow disk.
TIMEOUT_MINUTES = 10
MAIN_RANK = 0


@dataclass(frozen=True)
class ProcessGroup:
    """A single process, for which the collective operations do nothing.

    rank: of this process, 0..world_size − 1; world_size: number of processes; local_rank: its rank on this machine
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0

    @property
    def is_main_process(self) -> bool:
        """Whether this process locks the output folder, writes and prints."""
        return self.rank == MAIN_RANK

    def all_reduce_(self, tensor: Tensor) -> None:
        """Sum the tensors of all processes, in place; all get the same bits."""

    def broadcast(self, compute: Callable[[], T]) -> T:
        """What `compute` returns in the main process; the others do not call it."""
        return compute()


SINGLE_PROCESS = ProcessGroup()


class DistributedGroup(ProcessGroup):
    """One of several processes. Its operations raise KellyError if another one has ended."""

    def all_reduce_(self, tensor: Tensor) -> None:
        with _report_lost_process():
            torch.distributed.all_reduce(tensor)

    def broadcast(self, compute: Callable[[], T]) -> T:
        objects: list[Any] = [compute() if self.is_main_process else None]
        with _report_lost_process():
            torch.distributed.broadcast_object_list(objects, src=MAIN_RANK)
        result: T = objects[0]
        return result


@contextmanager
def _report_lost_process() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        reason = str(error).partition("\n")[0].rpartition("] ")[2].partition(". ")[0]
        raise KellyError(
            f"another process of this training ended, or did not answer for {TIMEOUT_MINUTES} minutes; the checkpoint "
            f"of the last finished epoch is kept, run the same command to resume from it ({reason:.200})"
        ) from error


@contextmanager
def init_process_group() -> Iterator[ProcessGroup]:
    """Connect the processes that torchrun started, for the length of the block; SINGLE_PROCESS without torchrun.

    Only the main process prints. An error or an interruption that ends the run is raised in the process that meets it
    first, so that it is reported once; the others exit silently. Raises KellyError if they cannot connect.
    """
    rank, world_size = rank_and_world_size()
    if world_size == 1:
        yield SINGLE_PROCESS
        return
    missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise KellyError(
            f"WORLD_SIZE is {world_size}, but {', '.join(missing)} is not set; start several processes with torchrun, "
            "or unset WORLD_SIZE"
        )
    is_first_report = _connect(rank, world_size)
    try:
        with (
            Path(os.devnull).open("w", errors="replace") as devnull,
            redirect_stdout(devnull) if rank != MAIN_RANK else nullcontext(),
        ):
            yield DistributedGroup(rank, world_size, int(os.environ.get("LOCAL_RANK", rank)))
    except (KellyError, OSError, MemoryError, KeyboardInterrupt):
        # torchrun sends SIGTERM to the remaining processes, which must not interrupt the report.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if not is_first_report():
            sys.exit(1)
        raise
    torch.distributed.destroy_process_group()


def _connect(rank: int, world_size: int) -> Callable[[], bool]:
    """Wait for the other processes; return a function that is true only for the first caller among all of them."""
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    timeout = timedelta(minutes=TIMEOUT_MINUTES)
    signals = (signal.SIGINT, signal.SIGTERM)
    # A process that waits in here does not run Python's handlers. Nothing was started: signals may end it at once.
    handlers = [signal.signal(number, signal.SIG_DFL) for number in signals]
    try:
        root_store = next(rendezvous("env://", rank, world_size, timeout=timeout))[0]
        # torchrun keeps one store over its restarts, with the addresses of processes that have ended.
        store = PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), root_store)
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        torch.distributed.init_process_group(backend, timeout=timeout, world_size=world_size, rank=rank, store=store)
    except (RuntimeError, ValueError) as error:
        raise KellyError(f"process {rank} of {world_size} could not connect to the others: {error!s:.200}") from error
    finally:
        for number, handler in zip(signals, handlers, strict=True):
            signal.signal(number, handler)

    def is_first_report() -> bool:
        try:
            return bool(store.add("reports", 1) == 1)
        except RuntimeError:  # the process that hosts the store has ended
            return True

    return is_first_report
