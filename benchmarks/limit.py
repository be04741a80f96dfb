"""The limit of an epoch: its products of matrices, and Adam's memory traffic, and nothing else."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.measure import Way, timed
from benchmarks.usual_loop import Parts
from kelly.config.params import TaskConfig
from kelly.networks import Network
from kelly.tasks import LSTM, Task
from kelly.training.batches import Batches
from kelly.training.train_model import VALIDATION_BATCH


def limit(s: TaskConfig, parts: Parts) -> Way:
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

    return partial(timed, epoch)


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
