"""Detection of diverged training: a loss worse than that of a predictor that knows nothing.

A loss that is not finite is obvious. Here it usually stays finite, since tanh and sigmoid bound the outputs of a
network with exploded weights: training would continue for ever with saturated units.
"""

import torch

from kelly.runtime.errors import KellyError
from kelly.tasks import Task
from kelly.training.backprop import Backprop
from kelly.training.batches import Chunk, Loader, chunks
from kelly.training.distributed import SINGLE_PROCESS, ProcessGroup
from kelly.training.objectives import LOSSES, constant_logits


class DivergedError(KellyError):
    """The training settings made the loss diverge."""


DIVERGED = 2.0  # times the loss of the best constant
ROUNDING = 1e-4  # of sums in different orders: the first epoch of a single batch has the loss of the untrained network
NUM_BATCHES = 100  # of the first epoch, to measure on


def loss_limit(
    backprop: Backprop,
    task: Task,
    loader: Loader,
    generator: torch.Generator | None,
    process_group: ProcessGroup = SINGLE_PROCESS,
) -> float:
    """The highest loss that an epoch may have: that of the untrained network, or DIVERGED times the best constant's.

    Healthy training stays far below: its first epoch beats the untrained network, and soon any constant. Both are
    measured on the first NUM_BATCHES batches of the first epoch; the state of `generator` is restored.
    """
    generator_state = None if generator is None else generator.get_state()
    first: list[Chunk] = []
    for chunk in chunks(loader, backprop.device, process_group):
        first.append(chunk)
        if sum(len(earlier.sizes) for earlier in first) >= NUM_BATCHES:
            break
    if not first:
        raise KellyError(f"{task.title}: there is no data to train on; expected at least one batch")
    if generator is not None and generator_state is not None:
        generator.set_state(generator_state)
    loss, device = LOSSES[task.loss], backprop.device
    targets = [(chunk.targets, chunk.mask) for chunk in first]
    constant = constant_logits(task.loss, targets, task.num_outputs, process_group)
    totals, count = torch.zeros(2, dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    with torch.no_grad():
        for chunk in first:
            logits = torch.empty(len(chunk.inputs), task.num_outputs, device=device)
            backprop.set_initial_state(None)
            inputs, outputs = (torch.split(tensor, chunk.num_frames) for tensor in (chunk.inputs, logits))
            for x, out, sizes in zip(inputs, outputs, chunk.sizes, strict=True):
                if sizes:
                    backprop.forward(x, sizes, out)
            sums = [loss.sums(out, chunk.targets, chunk.mask) for out in (logits, constant.expand_as(logits))]
            totals += torch.stack([total for total, _ in sums]).cpu()
            count += torch.as_tensor(sums[0][1]).cpu()
    process_group.all_reduce_(totals)
    process_group.all_reduce_(count)
    untrained, best_constant = totals / count.clamp(min=1)
    return float(torch.maximum((1 + ROUNDING) * untrained, DIVERGED * best_constant))


def check_converging(batch_losses: list[float], loss: float, limit: float, where: str) -> None:
    """Raise DivergedError, naming the first batch above `limit`, if the `loss` of an epoch is above it."""
    if loss <= limit:
        return
    batch = next(i for i, value in enumerate(batch_losses, start=1) if value > limit)
    raise DivergedError(
        f"{where}, batch {batch} of {len(batch_losses)}: training diverges, the loss is {batch_losses[batch - 1]:.4g} "
        f"and {loss:.4g} over the epoch, above {limit:.4g}, what an untrained network or {DIVERGED:g} times the best "
        "constant gives. The best checkpoint is unchanged. Lower learning_rate"
    )
