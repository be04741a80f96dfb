"""The limit of an epoch: its matrix products and Adam's memory traffic, and nothing else."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.measure import Candidate, timed
from benchmarks.usual_loop import Splits
from kelly.config.params import TaskConfig
from kelly.networks import Network
from kelly.tasks import LSTM, Task
from kelly.training.batches import Batches
from kelly.training.train_model import VALIDATION_BATCH

Product = tuple[Tensor, Tensor, Tensor]  # operands and output
GetBuffer = Callable[[str, int, int], Tensor]


def limit(config: TaskConfig, splits: Splits) -> Candidate:
    """Matrix products of frames that are not padding, and Adam's memory traffic."""
    batch_sizes = {"train": config.training.batch_size, "validation": VALIDATION_BATCH}
    generator = torch.Generator().manual_seed(config.training.seed)
    work: list[Product] = []
    step_ends: list[int] = []  # positions in `work` after which Adam takes a step
    buffers: dict[tuple[str, int], Tensor] = {}

    def get_buffer(name: str, rows: int, columns: int) -> Tensor:
        buffer = buffers.get((name, columns))
        if buffer is None or len(buffer) < rows:
            buffer = buffers[name, columns] = torch.randn(rows, columns)
        return buffer[:rows]

    for split, batch_size in batch_sizes.items():
        for chunk in Batches(splits[split], batch_size, generator):
            for sizes in chunk.sizes:
                work += products(config.task, sizes, get_buffer, backward=split == "train")
                if split == "train":
                    step_ends.append(len(work))
    num_parameters = sum(p.numel() for p in Network(config.task).parameters())
    parameters, gradient, mean, square = torch.rand(4, num_parameters)
    count = torch.tensor(1.0)

    def epoch() -> None:
        begin = 0
        for end in [*step_ends, len(work)]:
            for a, b, out in work[begin:end]:
                torch.mm(a, b, out=out)
            begin = end
            torch._fused_adam_(
                [parameters], [gradient], [mean], [square], [], [count],
                lr=0.0, beta1=0.9, beta2=0.999, weight_decay=0.0, eps=1e-8, amsgrad=False, maximize=False,
            )  # fmt: skip

    return partial(timed, epoch)


def products(task: Task, sizes: list[int], get_buffer: GetBuffer, backward: bool) -> list[Product]:
    """The matrix products of one step on a packed batch with `sizes` sequences at each time step."""
    num_frames, width = sum(sizes), task.num_inputs
    result: list[Product] = []

    def add(rows: int, inner: int, columns: int, transposed: bool = False) -> None:
        a = get_buffer("a", inner, rows).t() if transposed else get_buffer("a", rows, inner)
        result.append((a, get_buffer("b", inner, columns), get_buffer("out", rows, columns)))

    for i, layer in enumerate(task.layers):
        out = 4 * layer.size if isinstance(layer, LSTM) else layer.size
        weights = get_buffer(f"weights {i}", out, width)
        result.append((get_buffer("a", num_frames, width), weights.t(), get_buffer("out", num_frames, out)))
        if isinstance(layer, LSTM):
            for size in sizes:
                add(size, layer.size, out)
                if backward:
                    add(size, out, layer.size)
        if backward:
            add(out, num_frames, width, transposed=True)
            if isinstance(layer, LSTM):
                add(out, num_frames, layer.size, transposed=True)
            if i:
                add(num_frames, out, width)
        width = layer.size
    return result
