"""Several processes that train one network, as torchrun starts them: each takes its share of every batch.

What they compute is added up, gradients at every step, so that all take the same steps and the same decisions.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from kelly.runtime.console import launched
from kelly.runtime.errors import KellyError

T = TypeVar("T")

# Of waiting for another process. One that ends is noticed at once; this is for one that hangs, or is out of reach, and
# must not end a run whose first process writes to a slow disk.
TIMEOUT_MINUTES = 10
FIRST = 0  # the process that claims the folder, writes and prints


class ProcessGroup:
    """One process, alone.

    rank, size: the number of this one, from 0, and how many train together; local_rank: its number on this machine
    """

    def __init__(self, rank: int = 0, size: int = 1, local_rank: int = 0) -> None:
        self.rank, self.size, self.local_rank = rank, size, local_rank

    @property
    def is_main_process(self) -> bool:
        """Whether this is the one that writes and prints."""
        return self.rank == FIRST

    def sum_(self, tensor: Tensor) -> None:
        """Add up the tensors that all processes give, in place; all get the same bits."""

    def agreed(self, decide: Callable[[], T]) -> T:
        """What the first process decides; the others are not asked."""
        return decide()


SINGLE_PROCESS = ProcessGroup()


class DistributedGroup(ProcessGroup):
    """One of several processes. Raises KellyError where another one has ended."""

    def sum_(self, tensor: Tensor) -> None:
        """Add up the tensors that all processes give, in place; all get the same bits."""
        with _ends_told():
            torch.distributed.all_reduce(tensor)

    def agreed(self, decide: Callable[[], T]) -> T:
        """What the first process decides; the others are not asked."""
        held: list[Any] = [decide() if self.is_main_process else None]
        with _ends_told():
            torch.distributed.broadcast_object_list(held, src=FIRST)
        decided: T = held[0]
        return decided


@contextmanager
def _ends_told() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        reason = str(error).partition("\n")[0].rpartition("] ")[2].partition(". ")[0]
        raise KellyError(
            f"another process of this training has ended, or did not answer for {TIMEOUT_MINUTES} minutes; what was "
            f"finished is kept, and the same command goes on after the last finished epoch ({reason:.200})"
        ) from error


@contextmanager
def joined() -> Iterator[ProcessGroup]:
    """The processes that torchrun started, as long as the block lasts; SINGLE_PROCESS where there is this one only.

    Only the first one prints. What ends them all, a user's mistake or an interruption, is raised in the one that
    meets it first, so that it is told once; in the others the process ends in silence. Raises KellyError where they
    do not find each other.
    """
    rank, size = launched()
    if size == 1:
        yield SINGLE_PROCESS
        return
    missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise KellyError(
            f"WORLD_SIZE is {size}, but {', '.join(missing)} is not set; start several processes with torchrun, "
            "or unset WORLD_SIZE"
        )
    told = _meet(rank, size)
    try:
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere) if rank != FIRST else nullcontext():
            yield DistributedGroup(rank, size, int(os.environ.get("LOCAL_RANK", rank)))
    except (KellyError, OSError, MemoryError, KeyboardInterrupt):
        # It is sent to those that are left, and must not interrupt what is being told.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if not told():
            sys.exit(1)
        raise
    torch.distributed.destroy_process_group()


def _meet(rank: int, size: int) -> Callable[[], bool]:
    """Wait for the others; returns what says, once only among all processes, that it is called for the first time."""
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    timeout = timedelta(minutes=TIMEOUT_MINUTES)
    numbers = (signal.SIGINT, signal.SIGTERM)
    # Who waits here does not hear Python's answers to them. Nothing was begun: they may end it at once.
    answers = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    try:
        met = next(rendezvous("env://", rank, size, timeout=timeout))[0]
        # torchrun keeps one store for all its restarts, with the addresses of the processes that have ended.
        store = PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), met)
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        torch.distributed.init_process_group(backend, timeout=timeout, world_size=size, rank=rank, store=store)
    except (RuntimeError, ValueError) as error:
        raise KellyError(f"process {rank} of {size} did not find the others: {error!s:.200}") from error
    finally:
        for number, answer in zip(numbers, answers, strict=True):
            signal.signal(number, answer)

    def is_first_call() -> bool:
        try:
            return bool(store.add("told", 1) == 1)
        except RuntimeError:  # whoever kept the count has ended
            return True

    return is_first_call
