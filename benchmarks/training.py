"""One epoch of each network on its default data, in four ways: ours, the usual loop, PyTorch Lightning, and the limit.

All train and validate, and give loss and metric of both sides. The usual loop and Lightning get sequences padded to one
length, as `torch.utils.data` hands them out, and PyTorch's own LSTM; ours leaves out what is past an end.
"""

import multiprocessing
import os
import time
from functools import partial
from statistics import median
from typing import Any

import torch

from benchmarks.limit import limit
from benchmarks.measure import Way, in_turns, ratio, timed
from benchmarks.usual_loop import Parts, usual_loop
from benchmarks.with_lightning import with_lightning
from kelly.config.params import TaskConfig, load
from kelly.data.loading import DATA, load_splits
from kelly.networks import Network
from kelly.pipeline.chains import LONGEST_FIRST
from kelly.training.adam import Adam
from kelly.training.backprop import Backprop
from kelly.training.batches import Batches
from kelly.training.loop import run_epoch
from kelly.training.train_model import VALIDATION_BATCH

CORES = os.cpu_count() or 1
EPOCHS = 2  # of a round of the whole job


def ours(s: TaskConfig, parts: Parts) -> Way:
    """What `dvc repro` runs."""
    passes = Backprop(Network(s.task, s.training.seed))
    optimizer = Adam(passes.parameters, passes.gradient, s.training.learning_rate)
    generator = torch.Generator().manual_seed(s.training.seed)
    train = Batches(parts["train"], s.training.batch_size, generator)
    validation = Batches(parts["validation"], VALIDATION_BATCH)

    def epoch() -> None:
        run_epoch(passes, s.task, train, "training", optimizer)
        run_epoch(passes, s.task, validation, "validation")

    return partial(timed, epoch)


def prepared() -> dict[str, tuple[TaskConfig, Parts]]:
    """Settings and default data of each network, as the pipeline left them."""
    return {name: (s, load_splits(s, DATA)) for name, s in load().items()}


def measure(rounds: int) -> dict[str, Any]:
    """One epoch of each network in each way, and the whole job: all five, as `kelly repro` trains them.

    The usual loop and Lightning get as many threads as serve them best; ours has one.
    """
    data, found, serial = prepared(), {}, {"ours": 0.0, "limit": 0.0, "dataloader": 0.0, "lightning": 0.0}
    best_threads: dict[str, int] = {}
    for name, (s, parts) in data.items():
        ways = {"ours": ours(s, parts), "limit": limit(s, parts)}
        for way, make in (("dataloader", usual_loop), ("lightning", with_lightning)):
            ways |= {f"{way} {threads}": make(s, parts, threads) for threads in sorted({1, CORES})}
        seconds = in_turns(ways, rounds, name)
        steps = -(-len(parts["train"]) // s.training.batch_size)
        row: dict[str, Any] = {
            "ms_per_epoch": 1e3 * median(seconds["ours"]),
            "us_per_step": 1e6 * median(seconds["ours"]) / steps,
            "limit_ratio": ratio(seconds["ours"], seconds["limit"])["ratio"],
            "spread": {"limit": ratio(seconds["ours"], seconds["limit"])},
        }
        for way in ("dataloader", "lightning"):
            best = min((key for key in seconds if key.startswith(way)), key=lambda key: median(seconds[key]))
            row[f"{way}_ratio"] = ratio(seconds[best], seconds["ours"])["ratio"]
            row["spread"][way] = ratio(seconds[best], seconds["ours"]) | {"threads": int(best.split()[1])}
            serial[way] += median(seconds[best])
            if way == "lightning":
                best_threads[name] = int(best.split()[1])
        serial["ours"] += median(seconds["ours"])
        serial["limit"] += median(seconds["limit"])
        found[name] = row
    return found | {"all": job(rounds, data, best_threads, serial)}


def job(
    rounds: int, data: dict[str, tuple[TaskConfig, Parts]], threads: dict[str, int], serial: dict[str, float]
) -> dict[str, Any]:
    """All five networks, the same number of epochs each: ours in two processes, Lightning in one, in turns."""
    lightnings = [with_lightning(s, parts, threads[name]) for name, (s, parts) in data.items()]
    with SideBySide(min(2, CORES)) as two:
        seconds = in_turns(
            {"ours": two.epoch, "lightning": lambda: sum(way() for way in lightnings)}, rounds, "all five"
        )
    both = ratio(seconds["lightning"], seconds["ours"])
    return {
        "ms_per_epoch": 1e3 * median(seconds["ours"]),
        "processes": min(2, CORES),
        "lightning_ratio": both["ratio"],
        "spread": {"lightning": both},
        "one_process": {
            "ms_per_epoch": 1e3 * serial["ours"],
            "dataloader_ratio": serial["dataloader"] / serial["ours"],
            "lightning_ratio": serial["lightning"] / serial["ours"],
            "limit_ratio": serial["ours"] / serial["limit"],
        },
    }


class SideBySide:
    """ProcessGroup that train the networks as `kelly repro` does: the largest first, each when a process is free."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __enter__(self) -> "SideBySide":
        context = multiprocessing.get_context("spawn")
        self.waiting, self.done = context.Queue(), context.Queue()
        self.workers = [context.Process(target=work, args=(self.waiting, self.done)) for _ in range(self.number)]
        for worker in self.workers:
            worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        for _worker in self.workers:
            self.waiting.put(None)
        for worker in self.workers:
            worker.join()

    def epoch(self) -> float:
        """Seconds until EPOCHS of all five are done, over EPOCHS."""
        start = time.perf_counter()
        for name in LONGEST_FIRST:
            self.waiting.put(name)
        for _ in LONGEST_FIRST:
            self.done.get()
        return (time.perf_counter() - start) / EPOCHS


def work(waiting: "multiprocessing.Queue[str | None]", done: "multiprocessing.Queue[str]") -> None:
    """Train the networks that are asked for."""
    ways = {name: ours(s, parts) for name, (s, parts) in prepared().items()}
    while (name := waiting.get()) is not None:
        for _ in range(EPOCHS):
            ways[name]()
        done.put(name)
