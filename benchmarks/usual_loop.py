"""One epoch of the usual loop: a row-wise data set, a DataLoader, autograd and torch.optim.Adam."""

from functools import partial

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.measure import Candidate, timed
from kelly.config.params import TaskConfig
from kelly.data.dataset import Sequences
from kelly.networks import Network
from kelly.training.objectives import LOSSES, METRICS
from kelly.training.train_model import VALIDATION_BATCH

Splits = dict[str, Sequences]


class Rows(Dataset[tuple[Tensor, ...]]):
    """A data set row by row."""

    def __init__(self, sequences: Sequences) -> None:
        self.arrays = tensors(sequences)

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, row: int) -> tuple[Tensor, ...]:
        return tuple(array[row] for array in self.arrays)


def tensors(sequences: Sequences) -> tuple[Tensor, ...]:
    """Inputs, targets and the mask, if there is one."""
    arrays = (sequences.inputs, sequences.targets, sequences.mask)
    return tuple(torch.tensor(array) for array in arrays if array is not None)


def loss_and_metric(network: Network, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """Mean loss, with its graph, and the sums of the metric."""
    task, mask = network.task, batch[2] if len(batch) > 2 else None
    logits = network.logits(batch[0])[0]
    total, count = LOSSES[task.loss].sums(logits, batch[1], mask)
    return total / count, METRICS[task.metric].sums(logits.detach(), batch[1], mask)


def usual_loop(config: TaskConfig, splits: Splits, threads: int = 1) -> Candidate:
    """An epoch with its validation, and `.item()` for the running sums."""
    network = Network(config.task, config.training.seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=config.training.learning_rate)
    train = DataLoader(Rows(splits["train"]), config.training.batch_size, shuffle=True)
    validation = DataLoader(Rows(splits["validation"]), VALIDATION_BATCH)

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
