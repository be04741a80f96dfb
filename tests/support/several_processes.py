"""Small trainings by one or several processes or threads, for tests/training/test_distributed.py.

`torchrun --nproc-per-node=2 -m support.several_processes FOLDER` writes the files of a run to the folder.
"""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import torch
from support.small_runs import random_sequences, settings, small_data
from torch import Tensor

from kelly.data.dataset import Sequences
from kelly.networks import Network
from kelly.runtime import console
from kelly.tasks import LSTM, TASKS, Dense
from kelly.training import OptimizationConfig, RunOptions, train
from kelly.training.backprop import Backprop
from kelly.training.batches import MEMORY_BYTES, Batches
from kelly.training.distributed import SINGLE_PROCESS, ProcessGroup, init_process_group
from kelly.training.divergence import loss_limit
from kelly.training.resume import Resume
from kelly.training.train_model import train_model

EPOCHS = 60


@dataclass(frozen=True)
class Case:
    """A network and its training data; in_blocks: read in blocks of 12 sequences, as large data is."""

    network: str
    num_sequences: int
    batch_size: int
    gaps: bool = False
    in_blocks: bool = False


CASES = {
    "feed-forward": Case("groovepredictor", 48, 16),
    "feed-forward, gaps": Case("dynamicsengine", 50, 16, gaps=True),
    "recurrent": Case("emotionrecognizer", 48, 16),
    "sizes that do not divide": Case("melodytransformer", 45, 7),
    "classes, gaps": Case("harmonypredictor", 41, 9, gaps=True),
    "fewer sequences than processes": Case("emotionrecognizer", 7, 1),
    "a batch larger than the previous one": Case("emotionrecognizer", 29, 6, in_blocks=True),
}


@contextmanager
def double_precision() -> Iterator[None]:
    """Compute in float64, so that differences are not due to rounding."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def as_double(sequences: Sequences) -> Sequences:
    targets: Any = sequences.targets if sequences.targets.dtype == np.int64 else sequences.targets.astype(np.float64)
    inputs: Any = sequences.inputs.astype(np.float64)
    return replace(sequences, inputs=inputs, targets=targets)


def curve(case: Case, process_group: ProcessGroup = SINGLE_PROCESS) -> dict[str, list[Any]]:
    """The history of four epochs in double precision, and the loss limit."""
    task = TASKS[case.network]
    data = as_double(random_sequences(task, case.num_sequences, gaps=case.gaps))
    row_bytes = sum(array[:1].nbytes for array in (data.inputs, data.targets, data.mask) if array is not None)
    batches = Batches(
        data, case.batch_size, torch.Generator().manual_seed(3),
        memory_bytes=0 if case.in_blocks else MEMORY_BYTES, block_bytes=12 * row_bytes,
    )  # fmt: skip
    network = Network(task, 5).double()
    limit = loss_limit(Backprop(network), task, batches, batches.generator, process_group)
    config = OptimizationConfig(epochs=4, learning_rate=0.003)
    history = train(network, batches, Batches(data, 10), config=config, run=RunOptions(process_group=process_group))
    return history.to_dict() | {"loss_limit": [limit]}


def curves_of_threads(case: Case, num_threads: int) -> list[dict[str, list[Any]]]:
    """The curve of each of several threads that train together as processes do."""
    barrier, tensors = Barrier(num_threads, timeout=60), [torch.empty(0)] * num_threads

    class Thread(ProcessGroup):
        def all_reduce_(self, tensor: Tensor) -> None:
            tensors[self.rank] = tensor.clone()
            barrier.wait()
            tensor.copy_(torch.stack(tensors).sum(dim=0))
            barrier.wait()

    with ThreadPoolExecutor(num_threads) as pool:
        groups = [Thread(rank, num_threads) for rank in range(num_threads)]
        return list(pool.map(curve, [case] * num_threads, groups))


def run(
    output: Path, process_group: ProcessGroup = SINGLE_PROCESS, epochs: int = EPOCHS, resume: Resume = "unfinished"
) -> None:
    """Train a small recurrent network, and resume it if it was interrupted."""
    task = replace(TASKS["emotionrecognizer"], layers=(Dense(8, "tanh"), LSTM(6), Dense(64, "tanh")))
    config = settings(epochs=epochs, batch_size=7, early_stopping_patience=epochs, learning_rate=0.001)
    options = RunOptions(process_group=process_group)
    train_model(task, config, small_data(task.name), {}, output, resume=resume, run=options)


def main() -> None:
    """Train in the folder named on the command line."""
    with init_process_group() as process_group:
        run(Path(sys.argv[1]), process_group)


if __name__ == "__main__":
    console.run(main, distributed=True)
