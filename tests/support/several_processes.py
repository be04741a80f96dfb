"""Small trainings that several processes do process_group, or one alone, for tests/training/test_distributed.py.

`python -m torch.distributed.run --nproc-per-node=2 tests/support/several_processes.py curves run FOLDER` leaves in the folder
the history that each process has of each case, and what a run writes.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from support.small_runs import drawn, settings, small_data

from kelly.data.dataset import Sequences
from kelly.networks import Network
from kelly.runtime import console
from kelly.tasks import LSTM, TASKS, Dense
from kelly.training import train
from kelly.training.backprop import Backprop
from kelly.training.batches import MEMORY_BYTES, Batches
from kelly.training.distributed import SINGLE_PROCESS, ProcessGroup, joined
from kelly.training.divergence import loss_limit
from kelly.training.resume import Resume
from kelly.training.train_model import train_model

EPOCHS = 60


@dataclass(frozen=True)
class Case:
    """A network and the sequences it learns from; in_blocks: of 12, as large data is read."""

    network: str
    num_sequences: int
    batch_size: int
    gaps: bool = False
    in_blocks: bool = False


CASES = {
    "without a memory": Case("groovepredictor", 48, 16),
    "without a memory, gaps": Case("dynamicsengine", 50, 16, gaps=True),
    "with a memory": Case("emotionrecognizer", 48, 16),
    "sizes that do not divide": Case("melodytransformer", 45, 7),
    "classes, gaps": Case("harmonypredictor", 41, 9, gaps=True),
    "fewer sequences than processes": Case("emotionrecognizer", 7, 1),
    "after a smaller batch a larger one": Case("emotionrecognizer", 29, 6, in_blocks=True),
}


@contextmanager
def double_precision() -> Iterator[None]:
    """So that what differs is not rounding."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def doubled(part: Sequences) -> Sequences:
    targets: Any = part.targets if part.targets.dtype == np.int64 else part.targets.astype(np.float64)
    inputs: Any = part.inputs.astype(np.float64)
    return replace(part, inputs=inputs, targets=targets)


def curve(case: Case, process_group: ProcessGroup = SINGLE_PROCESS) -> dict[str, list[Any]]:
    """The history of four epochs in double precision, and the loss from which on they would count as diverging."""
    task = TASKS[case.network]
    with double_precision():
        part = doubled(drawn(task, case.num_sequences, gaps=case.gaps))
        row_bytes = sum(array[:1].nbytes for array in (part.inputs, part.targets, part.mask) if array is not None)
        batches = Batches(
            part, case.batch_size, torch.Generator().manual_seed(3),
            memory_bytes=0 if case.in_blocks else MEMORY_BYTES, block_bytes=12 * row_bytes,
        )  # fmt: skip
        network = Network(task, 5).double()
        limit = loss_limit(Backprop(network), task, batches, batches.generator, process_group)
        history = train(network, batches, Batches(part, 10), epochs=4, learning_rate=0.003, process_group=process_group)
    return history.to_dict() | {"loss_limit": [limit]}


def run(
    output: Path, process_group: ProcessGroup = SINGLE_PROCESS, epochs: int = EPOCHS, resume: Resume = "unfinished"
) -> None:
    """A run of a small network with a memory, which goes on where it was stopped."""
    task = replace(TASKS["emotionrecognizer"], layers=(Dense(8, "tanh"), LSTM(6), Dense(64, "tanh")))
    chosen = settings(epochs=epochs, batch_size=7, early_stopping_patience=epochs, learning_rate=0.001)
    train_model(task, chosen, small_data(task.name), {}, output, resume=resume, process_group=process_group)


def main() -> None:
    """Do what the command line names."""
    *works, folder = sys.argv[1:]
    with joined() as process_group:
        if "curves" in works:
            curves = {name: curve(case, process_group) for name, case in CASES.items()}
            Path(folder, f"curves_{process_group.rank}.json").write_text(json.dumps(curves))
        if "run" in works:
            run(Path(folder, "run"), process_group)


if __name__ == "__main__":
    console.run(main, several=True)
