"""One epoch of each network on its default data: our loop, the usual loop, PyTorch Lightning, and the limit.

All but the limit train and validate, and return loss and metric of both splits. The usual loop and Lightning get padded
sequences and PyTorch's LSTM; our loop skips padding.
"""

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from statistics import median
from typing import Any

import torch

from benchmarks.limit import limit
from benchmarks.measure import Candidate, alternate, ratio, timed
from benchmarks.usual_loop import Splits, usual_loop
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
NUM_PROCESSES = min(2, CORES)
EPOCHS = 2  # per round of all five networks
EPOCH_OF: dict[str, Candidate] = {}  # in a worker process: our loop by network


def ours(config: TaskConfig, splits: Splits) -> Candidate:
    """The loop that `dvc repro` runs."""
    backprop = Backprop(Network(config.task, config.training.seed))
    optimizer = Adam(backprop.parameters, backprop.gradient, config.training.learning_rate)
    generator = torch.Generator().manual_seed(config.training.seed)
    train = Batches(splits["train"], config.training.batch_size, generator)
    validation = Batches(splits["validation"], VALIDATION_BATCH)

    def epoch() -> None:
        run_epoch(backprop, config.task, train, "training", optimizer)
        run_epoch(backprop, config.task, validation, "validation")

    return partial(timed, epoch)


def load_all() -> dict[str, tuple[TaskConfig, Splits]]:
    """Config and data of each network, as the pipeline prepared them."""
    return {name: (config, load_splits(config, DATA)) for name, config in load().items()}


def measure(rounds: int) -> dict[str, Any]:
    """One epoch of each network with each loop, and of all five networks as `kelly repro` trains them.

    Our loop has one thread, the usual loop and Lightning their best number of threads.
    """
    data, result, total = load_all(), {}, {"ours": 0.0, "limit": 0.0, "dataloader": 0.0, "lightning": 0.0}
    lightning_threads: dict[str, int] = {}
    for name, (config, splits) in data.items():
        candidates = {"ours": ours(config, splits), "limit": limit(config, splits)}
        for loop, make in (("dataloader", usual_loop), ("lightning", with_lightning)):
            candidates |= {f"{loop} {threads}": make(config, splits, threads) for threads in sorted({1, CORES})}
        seconds = alternate(candidates, rounds, name)
        steps = -(-len(splits["train"]) // config.training.batch_size)
        row: dict[str, Any] = {
            "ms_per_epoch": 1e3 * median(seconds["ours"]),
            "us_per_step": 1e6 * median(seconds["ours"]) / steps,
            "limit_ratio": ratio(seconds["ours"], seconds["limit"])["ratio"],
            "spread": {"limit": ratio(seconds["ours"], seconds["limit"])},
        }
        for loop in ("dataloader", "lightning"):
            best = min((key for key in seconds if key.startswith(loop)), key=lambda key: median(seconds[key]))
            row[f"{loop}_ratio"] = ratio(seconds[best], seconds["ours"])["ratio"]
            row["spread"][loop] = ratio(seconds[best], seconds["ours"]) | {"threads": int(best.split()[1])}
            total[loop] += median(seconds[best])
        lightning_threads[name] = row["spread"]["lightning"]["threads"]
        total["ours"] += median(seconds["ours"])
        total["limit"] += median(seconds["limit"])
        result[name] = row
    lightning = [with_lightning(*data[name], threads) for name, threads in lightning_threads.items()]
    return result | {"all": measure_all(rounds, lightning, total)}


def measure_all(rounds: int, lightning: list[Candidate], total: dict[str, float]) -> dict[str, Any]:
    """The same number of epochs of all five networks: our loop in parallel processes, Lightning in one, alternating.

    total: the seconds of an epoch of all networks, one process each, by loop
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(NUM_PROCESSES, context, initializer=load_worker) as pool:

        def in_parallel() -> float:
            start = time.perf_counter()
            list(pool.map(train_epochs, LONGEST_FIRST))
            return (time.perf_counter() - start) / EPOCHS

        candidates = {"ours": in_parallel, "lightning": lambda: sum(epoch() for epoch in lightning)}
        seconds = alternate(candidates, rounds, "all five")
    ratios = ratio(seconds["lightning"], seconds["ours"])
    return {
        "ms_per_epoch": 1e3 * median(seconds["ours"]),
        "processes": NUM_PROCESSES,
        "lightning_ratio": ratios["ratio"],
        "spread": {"lightning": ratios},
        "one_process": {
            "ms_per_epoch": 1e3 * total["ours"],
            "dataloader_ratio": total["dataloader"] / total["ours"],
            "lightning_ratio": total["lightning"] / total["ours"],
            "limit_ratio": total["ours"] / total["limit"],
        },
    }


def load_worker() -> None:
    """Prepare a worker process."""
    EPOCH_OF.update({name: ours(config, splits) for name, (config, splits) in load_all().items()})


def train_epochs(name: str) -> None:
    """Train a network for EPOCHS epochs in a worker process."""
    for _ in range(EPOCHS):
        EPOCH_OF[name]()
