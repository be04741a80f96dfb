"""What a step costs, and how much memory a run takes, on data of 8 thousand, 80 thousand and 800 thousand rows.

Rows are memory-mapped. EmotionRecognizer's are of eight frames and some gigabytes in all; GroovePredictor's small ones
show what a step costs beside its sums, with limits of memory so low that its largest data is read in blocks as well.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from benchmarks.measure import Way, in_turns, spread
from benchmarks.processes import run
from kelly.data.dataset import Sequences
from kelly.data.splits import SplitView
from kelly.networks import Network
from kelly.tasks import TASKS
from kelly.training.adam import Adam
from kelly.training.backprop import Backprop
from kelly.training.batches import BLOCK_BYTES, MEMORY_BYTES, Batches, Chunk
from kelly.training.loop import run_epoch

SIZES = (8_000, 80_000, 800_000)
BATCH_SIZE = 64
# Frames of a sequence, chunks of a round, and the limits of memory.
CASES: dict[str, tuple[int, int, int, int]] = {
    "emotionrecognizer": (8, 13, MEMORY_BYTES, BLOCK_BYTES),
    "groovepredictor": (1, 16, 2**25, 2**24),
}


class SomeChunks(Batches):
    """Batches of which an epoch is a few chunks; the next goes on where it was."""

    per_round = 1
    coming: Iterator[Chunk] | None = None

    def __iter__(self) -> Iterator[Chunk]:
        for _ in range(self.per_round):
            chunk = next(self.coming, None) if self.coming is not None else None
            if chunk is None:
                self.coming = super().__iter__()
                chunk = next(self.coming)
            yield chunk


def measure(rounds: int) -> dict[str, Any]:
    """Microseconds a step at each size, in turns, and the peak memory of a process that trains."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for name in CASES:
            folders = {size: Path(temporary) / name / str(size) for size in SIZES}
            for size, folder in folders.items():
                write(name, size, folder)
            ways = {str(size): steps(name, folder) for size, folder in folders.items()}
            seconds = in_turns(ways, rounds, f"{name}, {' and '.join(ways)} rows")
            found[name] = {
                size: {
                    "us_per_step": spread(seconds[size], 1e6),
                    "data_mb": sum(file.stat().st_size for file in folder.iterdir()) / 1e6,
                    "peak_memory_mb": float(run(["-m", "benchmarks.scale", name, str(folder)]).printed),
                }
                for size, folder in zip(seconds, folders.values(), strict=True)
            }
    return found


def write(name: str, size: int, folder: Path) -> None:
    """Random data of a network, in pieces: inputs and targets as Sequences keeps them."""
    task, num_frames = TASKS[name], CASES[name][0]
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    for part, width in (("inputs", task.num_inputs), ("targets", task.num_outputs)):
        shape = (size, num_frames, width)
        array = np.lib.format.open_memmap(folder / f"{part}.npy", mode="w+", dtype=np.float32, shape=shape)
        for start in range(0, size, 8_000):
            array[start : start + 8_000] = rng.uniform(-1, 1, array[start : start + 8_000].shape)
        array.flush()
    np.save(folder / "groups.npy", np.arange(size).astype("U7"))


def steps(name: str, folder: Path) -> Way:
    """A way that takes some steps on the data in a folder; its seconds are those of one."""
    task, (_, per_round, memory_bytes, block_bytes) = TASKS[name], CASES[name]
    torch.set_num_threads(1)
    data = Sequences.load(folder)
    rows = np.arange(len(data))
    generator = torch.Generator().manual_seed(1)
    loader = SomeChunks(
        SplitView(data, rows, rows), BATCH_SIZE, generator, memory_bytes=memory_bytes, block_bytes=block_bytes
    )
    loader.per_round = per_round
    passes = Backprop(Network(task))
    optimizer = Adam(passes.parameters, passes.gradient, 0.001)

    def some_steps() -> float:
        start = time.perf_counter()
        losses, _, _ = run_epoch(passes, task, loader, "training", optimizer)
        return (time.perf_counter() - start) / len(losses)

    return some_steps


def peak_memory(name: str, folder: Path) -> float:
    """Megabytes of memory of this process, mapped files not counted, at their most while it trains for a while."""
    process, peak, done = psutil.Process(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            memory = process.memory_info()
            peak[0] = max(peak[0], memory.rss - memory.shared)

    watcher = threading.Thread(target=watch)
    watcher.start()
    way = steps(name, folder)
    for _ in range(8):
        way()
    done.set()
    watcher.join()
    return peak[0] / 1e6


if __name__ == "__main__":
    print(peak_memory(sys.argv[1], Path(sys.argv[2])))
