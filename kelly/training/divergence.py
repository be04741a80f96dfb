"""When training has diverged: a loss beyond what knowing nothing would give.

A loss that is not finite says so by itself. More often here it stays finite, since tanh and sigmoid bound what comes
out of a network whose weights have been thrown far off: it then goes on for ever with saturated units.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from kelly.errors import KellyError
from kelly.networks import Network
from kelly.training.objectives import LOSSES, constant_logits

Loader = Iterable[Sequence[Any]]

DIVERGED = 2.0  # times the loss of the best constant
NUM_BATCHES = 100  # of the first epoch, to measure on


def loss_limit(
    network: Network, loader: Loader, generator: torch.Generator | None, device: torch.device | str
) -> float:
    """The loss that an epoch must not exceed: that before the first step, and DIVERGED times that of the best constant.

    Sound training stays far below: its first epoch is better than the untrained network, and soon than any constant.
    Both are measured on the batches that training begins with; nothing is drawn from `generator`.
    """
    before = generator.get_state() if generator is not None else None
    batches = [frames(batch, device) for batch in islice(loader, NUM_BATCHES)]
    if not batches:
        raise KellyError(f"{network.task.title}: there is no data to train on; expected at least one batch")
    if generator is not None and before is not None:
        generator.set_state(before)
    task = network.task
    constant = constant_logits(task.loss, [(targets, mask) for _, targets, mask in batches], task.num_outputs)
    costs, number = torch.zeros(2, dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    with torch.inference_mode():
        for inputs, targets, mask in batches:
            logits = network.logits(inputs)[0]
            both = [LOSSES[task.loss](out, targets, mask) for out in (logits, constant.expand_as(logits))]
            costs += torch.stack([cost for cost, _ in both]).cpu()
            number += torch.as_tensor(both[0][1]).cpu()
    untrained, best_constant = costs / number.clamp(min=1)
    return float(torch.maximum(untrained, DIVERGED * best_constant))


def check_converging(batch_losses: list[float], loss: float, limit: float, where: str) -> None:
    """Raise KellyError, naming the first batch beyond it, where an epoch's `loss` is beyond `limit`."""
    if loss <= limit:
        return
    batch = next(i for i, value in enumerate(batch_losses, start=1) if value > limit)
    raise KellyError(
        f"{where}, batch {batch} of {len(batch_losses)}: training diverges, the loss is {batch_losses[batch - 1]:.4g} "
        f"and {loss:.4g} over the epoch, more than an untrained network and {DIVERGED:g} times the best constant give "
        f"({limit:.4g}). The best checkpoint is as it was. Lower learning_rate"
    )


def frames(batch: Sequence[Any], device: torch.device | str) -> tuple[Tensor, Tensor, Tensor | None]:
    """Inputs, targets and mask of a batch on `device`; rows without a time axis become sequences of one frame."""
    inputs, targets = batch[0].to(device), batch[1].to(device)
    mask = batch[2].to(device) if len(batch) > 2 and batch[2] is not None else None
    if inputs.dim() == 2:
        inputs, targets, mask = inputs[:, None], targets[:, None], None if mask is None else mask[:, None]
    return inputs, targets, mask
