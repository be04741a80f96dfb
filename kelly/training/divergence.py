"""When training has diverged: a loss beyond what knowing nothing would give.

A loss that is not finite says so by itself. More often here it stays finite, since tanh and sigmoid bound what comes
out of a network whose weights have been thrown far off: it then goes on for ever with saturated units.
"""

import torch

from kelly.runtime.errors import KellyError
from kelly.tasks import Task
from kelly.training.backprop import Backprop
from kelly.training.batches import Chunk, Loader, chunks
from kelly.training.distributed import SINGLE_PROCESS, ProcessGroup
from kelly.training.objectives import LOSSES, constant_logits


class DivergedError(KellyError):
    """Training left the range in which anything can be learned: its settings are to blame."""


DIVERGED = 2.0  # times the loss of the best constant
ROUNDING = 1e-4  # in sums of one order or another: an epoch of one batch has just the loss of the untrained network
NUM_BATCHES = 100  # of the first epoch, to measure on


def loss_limit(
    passes: Backprop,
    task: Task,
    loader: Loader,
    generator: torch.Generator | None,
    process_group: ProcessGroup = SINGLE_PROCESS,
) -> float:
    """The loss that an epoch must not exceed: that before the first step, and DIVERGED times that of the best constant.

    Sound training stays far below: its first epoch is better than the untrained network, and soon than any constant.
    Both are measured on the chunks that hold the batches that training begins with; nothing is drawn from `generator`.
    """
    before = generator.get_state() if generator is not None else None
    first: list[Chunk] = []
    for chunk in chunks(loader, passes.device, process_group):
        first.append(chunk)
        if sum(len(earlier.sizes) for earlier in first) >= NUM_BATCHES:
            break
    if not first:
        raise KellyError(f"{task.title}: there is no data to train on; expected at least one batch")
    if generator is not None and before is not None:
        generator.set_state(before)
    loss, device = LOSSES[task.loss], passes.device
    targets = [(chunk.targets, chunk.mask) for chunk in first]
    constant = constant_logits(task.loss, targets, task.num_outputs, process_group)
    costs, number = torch.zeros(2, dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    with torch.no_grad():
        for chunk in first:
            logits = torch.empty(len(chunk.inputs), task.num_outputs, device=device)
            passes.start(None)
            parts = zip(
                *(torch.split(part, chunk.num_frames) for part in (chunk.inputs, logits)), chunk.sizes, strict=True
            )
            for inputs, out, sizes in parts:
                if sizes:
                    passes.forward(inputs, sizes, out)
            both = [loss.sums(out, chunk.targets, chunk.mask) for out in (logits, constant.expand_as(logits))]
            costs += torch.stack([cost for cost, _ in both]).cpu()
            number += torch.as_tensor(both[0][1]).cpu()
    process_group.sum_(costs)
    process_group.sum_(number)
    untrained, best_constant = costs / number.clamp(min=1)
    return float(torch.maximum((1 + ROUNDING) * untrained, DIVERGED * best_constant))


def check_converging(batch_losses: list[float], loss: float, limit: float, where: str) -> None:
    """Raise KellyError, naming the first batch beyond it, where an epoch's `loss` is beyond `limit`."""
    if loss <= limit:
        return
    batch = next(i for i, value in enumerate(batch_losses, start=1) if value > limit)
    raise DivergedError(
        f"{where}, batch {batch} of {len(batch_losses)}: training diverges, the loss is {batch_losses[batch - 1]:.4g} "
        f"and {loss:.4g} over the epoch, more than an untrained network and {DIVERGED:g} times the best constant give "
        f"({limit:.4g}). The best checkpoint is as it was. Lower learning_rate"
    )
