"""Time per step and memory of a run on 8, 80 and 800 thousand memory-mapped rows.

EmotionRecognizer's rows have eight frames, some gigabytes in all. GroovePredictor's small rows show the overhead of a
step; its memory limits are low, so that its largest data is read in blocks too.
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

from benchmarks.measure import Candidate, alternate, spread
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
# Frames per sequence, chunks per round, memory_bytes and block_bytes of Batches.
CASES = {"emotionrecognizer": (8, 13, MEMORY_BYTES, BLOCK_BYTES), "groovepredictor": (1, 16, 2**25, 2**24)}


class FewChunks(Batches):
    """Batches with a few chunks per epoch; the next epoch continues there."""

    per_epoch = 1
    remaining: Iterator[Chunk] = iter(())

    def __iter__(self) -> Iterator[Chunk]:
        for _ in range(self.per_epoch):
            chunk = next(self.remaining, None)
            if chunk is None:
                self.remaining = super().__iter__()
                chunk = next(self.remaining)
            yield chunk


def measure(rounds: int) -> dict[str, Any]:
    """Microseconds per step at each size, alternating, and the peak memory of a training process."""
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for name in CASES:
            folders = {size: Path(temporary) / name / str(size) for size in SIZES}
            for size, folder in folders.items():
                write(name, size, folder)
            candidates = {str(size): steps(name, folder) for size, folder in folders.items()}
            seconds = alternate(candidates, rounds, f"{name}, {', '.join(candidates)} rows")
            result[name] = {
                size: {
                    "us_per_step": spread(seconds[size], 1e6),
                    "data_mb": sum(file.stat().st_size for file in folder.iterdir()) / 1e6,
                    "peak_memory_mb": float(run([sys.executable, "-m", "benchmarks.scale", name, str(folder)]).output),
                }
                for size, folder in zip(seconds, folders.values(), strict=True)
            }
    return result


def write(name: str, size: int, folder: Path) -> None:
    """Write random data of a network in the format of Sequences, in blocks."""
    task, num_frames = TASKS[name], CASES[name][0]
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    for array_name, width in (("inputs", task.num_inputs), ("targets", task.num_outputs)):
        shape = (size, num_frames, width)
        array = np.lib.format.open_memmap(folder / f"{array_name}.npy", mode="w+", dtype=np.float32, shape=shape)
        for start in range(0, size, 8_000):
            array[start : start + 8_000] = rng.uniform(-1, 1, array[start : start + 8_000].shape)
        array.flush()
    np.save(folder / "groups.npy", np.arange(size).astype("U7"))


def steps(name: str, folder: Path) -> Candidate:
    """Take some steps on the data in a folder; returns the seconds of one."""
    task, (_, per_epoch, memory_bytes, block_bytes) = TASKS[name], CASES[name]
    torch.set_num_threads(1)
    data = Sequences.load(folder)
    rows = np.arange(len(data))
    generator = torch.Generator().manual_seed(1)
    loader = FewChunks(
        SplitView(data, rows, rows), BATCH_SIZE, generator, memory_bytes=memory_bytes, block_bytes=block_bytes
    )
    loader.per_epoch = per_epoch
    backprop = Backprop(Network(task))
    optimizer = Adam(backprop.parameters, backprop.gradient, 0.001)

    def some_steps() -> float:
        start = time.perf_counter()
        losses, _, _ = run_epoch(backprop, task, loader, "training", optimizer)
        return (time.perf_counter() - start) / len(losses)

    return some_steps


def peak_memory(name: str, folder: Path) -> float:
    """Peak memory of this process while it trains, without mapped files, in megabytes."""
    process, peak, done = psutil.Process(), [0], threading.Event()

    def sample() -> None:
        while not done.wait(0.02):
            memory = process.memory_info()
            peak[0] = max(peak[0], memory.rss - memory.shared)

    sampler = threading.Thread(target=sample)
    sampler.start()
    some_steps = steps(name, folder)
    for _ in range(8):
        some_steps()
    done.set()
    sampler.join()
    return peak[0] / 1e6


if __name__ == "__main__":
    print(peak_memory(sys.argv[1], Path(sys.argv[2])))
