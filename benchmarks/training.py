"""One epoch of each network on its default data, in four ways: ours, the usual loop, PyTorch Lightning, and the limit.

All train and validate, and give loss and metric of both sides. The usual loop and Lightning get sequences padded to one
length, as `torch.utils.data` hands them out, and PyTorch's own LSTM; ours leaves out what is past an end.
"""

import logging
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

from benchmarks.measure import Way
from kelly.datasets.sequences import Sequences
from kelly.layers import LSTM
from kelly.networks import Network
from kelly.params import Settings
from kelly.tasks import Task
from kelly.training.adam import Adam
from kelly.training.backpropagation import Passes
from kelly.training.batches import Batches
from kelly.training.loop import run_epoch
from kelly.training.objectives import LOSSES, METRICS
from kelly.training.runs import VALIDATION_BATCH

Parts = dict[str, Sequences]


def timed(work: Callable[[], Any], threads: int) -> float:
    """Seconds that `work` takes with so many threads."""
    torch.set_num_threads(threads)
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ours(s: Settings, parts: Parts, threads: int = 1) -> Way:
    """What `dvc repro` runs."""
    passes = Passes(Network(s.task, s.training.seed))
    optimizer = Adam(passes.parameters, passes.gradient, s.training.learning_rate)
    generator = torch.Generator().manual_seed(s.training.seed)
    train = Batches(parts["train"], s.training.batch_size, generator)
    validation = Batches(parts["validation"], VALIDATION_BATCH)

    def epoch() -> None:
        run_epoch(passes, s.task, train, "training", optimizer)
        run_epoch(passes, s.task, validation, "validation")

    return partial(timed, epoch, threads)


class Rows(Dataset[tuple[Tensor, ...]]):
    """A data set row by row."""

    def __init__(self, part: Sequences) -> None:
        self.arrays = tensors(part)

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, row: int) -> tuple[Tensor, ...]:
        return tuple(array[row] for array in self.arrays)


def tensors(part: Sequences) -> tuple[Tensor, ...]:
    """Inputs, targets and, where there is one, the mask."""
    return tuple(torch.tensor(array) for array in (part.inputs, part.targets, part.mask) if array is not None)


def loss_and_metric(network: Network, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """Mean loss, with its graph, and the sums behind the metric."""
    task, mask = network.task, batch[2] if len(batch) > 2 else None
    logits = network.logits(batch[0])[0]
    total, number = LOSSES[task.loss].sums(logits, batch[1], mask)
    return total / number, METRICS[task.metric].sums(logits.detach(), batch[1], mask)


def usual_loop(s: Settings, parts: Parts, threads: int = 1) -> Way:
    """A row-wise data set, a DataLoader, autograd, torch.optim.Adam, and `.item()` for the running sums."""
    network = Network(s.task, s.training.seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=s.training.learning_rate)
    train = DataLoader(Rows(parts["train"]), s.training.batch_size, shuffle=True)
    validation = DataLoader(Rows(parts["validation"]), VALIDATION_BATCH)

    def epoch() -> None:
        for loader in (train, validation):
            loss_sum, metric_sum = 0.0, 0.0
            with torch.set_grad_enabled(loader is train):
                for batch in loader:
                    loss, metric = loss_and_metric(network, batch)
                    if loader is train:
                        optimizer.zero_grad()
                        torch.autograd.backward(loss)
                        optimizer.step()
                    loss_sum += loss.item()
                    metric_sum += metric.sum().item()

    return partial(timed, epoch, threads)


class Module(lightning.LightningModule):
    """A network as Lightning trains it; the seconds of each epoch, without what comes before and after, are kept."""

    def __init__(self, s: Settings) -> None:
        super().__init__()
        self.network, self.learning_rate = Network(s.task, s.training.seed), s.training.learning_rate
        self.seconds = 0.0

    def training_step(self, batch: list[Tensor]) -> Tensor:
        """Loss, logged like the metric."""
        loss, metric = loss_and_metric(self.network, tuple(batch))
        self.log_dict({"train_loss": loss, "train_metric": metric.sum().float()}, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor]) -> None:
        """Loss and metric, logged."""
        loss, metric = loss_and_metric(self.network, tuple(batch))
        self.log_dict({"val_loss": loss, "val_metric": metric.sum().float()})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The fastest Adam."""
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate, fused=True)

    def on_train_epoch_start(self) -> None:
        """Start the clock."""
        self.started = time.perf_counter()

    def on_train_epoch_end(self) -> None:
        """Stop it: Lightning validates within the epoch."""
        self.seconds = time.perf_counter() - self.started


def with_lightning(s: Settings, parts: Parts, threads: int = 1) -> Way:
    """Lightning in its natural use, without bar, logger and checkpoints."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    module = Module(s)
    train = DataLoader(TensorDataset(*tensors(parts["train"])), s.training.batch_size, shuffle=True)
    validation = DataLoader(TensorDataset(*tensors(parts["validation"])), VALIDATION_BATCH)

    def epoch() -> float:
        torch.set_num_threads(threads)
        trainer = lightning.Trainer(
            max_epochs=1,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(module, train, validation)
        return module.seconds

    return epoch


def limit(s: Settings, parts: Parts, threads: int = 1) -> Way:
    """The products of matrices that live frames ask for, and Adam's memory traffic; nothing else."""
    batches = {"train": s.training.batch_size, "validation": VALIDATION_BATCH}
    generator = torch.Generator().manual_seed(s.training.seed)
    work: list[tuple[Tensor, Tensor, Tensor]] = []
    steps: list[int] = []  # where in `work` a step of Adam follows
    operands: dict[tuple[str, int], Tensor] = {}

    def operand(name: str, rows: int, columns: int) -> Tensor:
        held = operands.get((name, columns))
        if held is None or len(held) < rows:
            held = operands[name, columns] = torch.randn(rows, columns)
        return held[:rows]

    for side, batch_size in batches.items():
        for chunk in Batches(parts[side], batch_size, generator):
            for sizes in chunk.sizes:
                work += products(s.task, sizes, operand, backward=side == "train")
                if side == "train":
                    steps.append(len(work))
    parameters, gradient, mean, square = torch.rand(4, sum(p.numel() for p in Network(s.task).parameters()))
    count = torch.tensor(1.0)

    def epoch() -> None:
        begin = 0
        for end in [*steps, len(work)]:
            for a, b, out in work[begin:end]:
                torch.mm(a, b, out=out)
            begin = end
            torch._fused_adam_(
                [parameters], [gradient], [mean], [square], [], [count],
                lr=0.0, beta1=0.9, beta2=0.999, weight_decay=0.0, eps=1e-8, amsgrad=False, maximize=False,
            )  # fmt: skip

    return partial(timed, epoch, threads)


def products(
    task: Task, sizes: list[int], operand: Callable[[str, int, int], Tensor], backward: bool
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Operands and place of each product that a step on a packed batch takes."""
    frames, width, found = sum(sizes), task.num_inputs, []

    def product(rows: int, inner: int, columns: int) -> None:
        found.append((operand("a", rows, inner), operand("b", inner, columns), operand("out", rows, columns)))

    def transposed(rows: int, inner: int, columns: int) -> None:
        found.append((operand("a", inner, rows).t(), operand("b", inner, columns), operand("out", rows, columns)))

    for i, layer in enumerate(task.layers):
        out = 4 * layer.size if isinstance(layer, LSTM) else layer.size
        weights = operand(f"weights {i}", out, width)
        found.append((operand("a", frames, width), weights.t(), operand("out", frames, out)))
        if isinstance(layer, LSTM):
            for size in sizes:
                product(size, layer.size, out)
                if backward:
                    product(size, out, layer.size)
        if backward:
            transposed(out, frames, width)
            if isinstance(layer, LSTM):
                transposed(out, frames, layer.size)
            if i:
                product(frames, out, width)
        width = layer.size
    return found


WAYS: dict[str, Callable[[Settings, Parts, int], Way]] = {
    "ours": ours,
    "dataloader": usual_loop,
    "lightning": with_lightning,
    "limit": limit,
}
