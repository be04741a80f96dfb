"""What training minimises and what the history follows, as sums that add up to the whole set's value.

logits: float[..., out], what Network.logits gives; targets: the same shape, or int64[...] where a class is predicted,
for which its probabilities, float[..., out], may stand as well; mask: bool, shape of targets ([...] where a class is
predicted), False where a target is missing; None: all are there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from kelly.training.distributed import SINGLE_PROCESS, ProcessGroup

Mask = Tensor | None


@dataclass(frozen=True)
class Loss:
    """What is minimised is the mean of `costs`, one an output, or one a frame.

    gradient: logits, targets, out → d cost / d logits of each, over `factor`, written to `out`, in their shape
    """

    costs: Callable[[Tensor, Tensor], Tensor]
    gradient: Callable[[Tensor, Tensor, Tensor], Tensor]
    factor: float = 1.0
    one_a_frame: bool = False

    def sums(self, logits: Tensor, targets: Tensor, mask: Mask) -> tuple[Tensor, Tensor | int]:
        """Sum of the costs of what is there, and how many that are."""
        return masked_sum(self.costs(logits, targets), mask)


def masked_sum(cost: Tensor, mask: Mask) -> tuple[Tensor, Tensor | int]:
    """Sum of `cost` over what is there, and how many that are."""
    return (cost.sum(), cost.numel()) if mask is None else (torch.where(mask, cost, 0.0).sum(), mask.sum())


def squared_errors(logits: Tensor, targets: Tensor) -> Tensor:
    """Of each output."""
    return (logits - targets).square_()


def of_squared_errors(logits: Tensor, targets: Tensor, out: Tensor) -> Tensor:
    """2 (o − y), without the 2."""
    return torch.sub(logits, targets, out=out)


def binary_cross_entropies(logits: Tensor, targets: Tensor) -> Tensor:
    """In nats, of each output."""
    return functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def of_binary_cross_entropies(logits: Tensor, targets: Tensor, out: Tensor) -> Tensor:
    """σ(z) − y."""
    return torch.sigmoid(logits, out=out).sub_(targets)


def cross_entropies(logits: Tensor, targets: Tensor) -> Tensor:
    """In nats, of each frame; of probabilities without their own entropy, as PyTorch has it."""
    if targets.is_floating_point():
        return -(targets * functional.log_softmax(logits, dim=-1)).sum(dim=-1)
    return functional.cross_entropy(logits.flatten(0, -2), targets.flatten(), reduction="none").view(targets.shape)


def of_cross_entropies(logits: Tensor, targets: Tensor, out: Tensor) -> Tensor:
    """softmax(z) − 1 for the true class, softmax(z) for the others; softmax(z) − y for probabilities."""
    torch.softmax(logits, dim=-1, out=out)
    if targets.is_floating_point():
        return out.sub_(targets)
    return out.scatter_add_(-1, targets[..., None], out.new_full((1, 1), -1.0).expand(len(out), 1))


LOSSES = {
    "mse": Loss(squared_errors, of_squared_errors, factor=2.0),
    "bce": Loss(binary_cross_entropies, of_binary_cross_entropies),
    "cross_entropy": Loss(cross_entropies, of_cross_entropies, one_a_frame=True),
}


def constant_logits(
    loss: str, targets: Sequence[tuple[Tensor, Mask]], num_outputs: int, process_group: ProcessGroup = SINGLE_PROCESS
) -> Tensor:
    """The logits float[num_outputs] that give the least `loss` where every frame gets the same.

    targets: of each batch, or of this process's share of it, with its mask
    """
    total, number = torch.zeros(2, num_outputs, dtype=torch.float64)
    for y, mask in targets:
        if loss == "cross_entropy":
            y = y if y.is_floating_point() else functional.one_hot(y, num_outputs)
            mask = None if mask is None else mask[..., None].expand_as(y)
        there = torch.ones_like(y, dtype=torch.bool) if mask is None else mask
        total += wide(torch.where(there, y, 0).flatten(0, -2)).sum(dim=0).cpu()
        number += there.flatten(0, -2).sum(dim=0).cpu()
    process_group.sum_(total)
    process_group.sum_(number)
    mean: Tensor = (total / number.clamp(min=1)).float().to(targets[0][0].device)
    if loss == "mse":
        return mean
    share = mean.clamp(1e-6, 1 - 1e-6)
    return torch.logit(share) if loss == "bce" else torch.log(share)


@dataclass(frozen=True)
class Metric:
    """A score of a whole set: sums[k] of each batch are added up, and `value` turns the total into the score."""

    sums: Callable[[Tensor, Tensor, Mask], Tensor]
    value: Callable[[Tensor], float]


def widest(tensor: Tensor) -> torch.dtype:
    """Double precision where the device of a tensor has it: Apple's has not."""
    return torch.float32 if tensor.device.type == "mps" else torch.float64


def wide(tensor: Tensor) -> Tensor:
    """In the widest precision."""
    return tensor.to(widest(tensor))


def mean_of(scores: Tensor, there: Mask) -> Tensor:
    """The sums behind a mean over frames: total and number."""
    total, number = masked_sum(scores, there)
    return torch.stack([wide(total), wide(torch.as_tensor(number, device=total.device))])


def frames_there(mask: Mask) -> Mask:
    """Which frames are there, from a mask of their outputs."""
    return None if mask is None else mask.any(dim=-1)


def cosine_similarity(logits: Tensor, targets: Tensor, mask: Mask) -> Tensor:
    """Cosine of the angle between predicted and true vector, a frame."""
    return mean_of(functional.cosine_similarity(logits, targets, dim=-1), frames_there(mask))


def top_10_accuracy(logits: Tensor, targets: Tensor, mask: Mask) -> Tensor:
    """Share of the ten highest ranked outputs that are on in the target, a frame."""
    ranked = logits.topk(10, dim=-1).indices
    return mean_of(targets.gather(-1, ranked).mean(dim=-1), frames_there(mask))


def top_1_accuracy(logits: Tensor, targets: Tensor, mask: Mask) -> Tensor:
    """Whether the highest ranked class is the true one, or the most probable, a frame."""
    classes = targets.argmax(dim=-1) if targets.is_floating_point() else targets
    return mean_of(wide(logits.argmax(dim=-1) == classes), mask)


def r2_sums(logits: Tensor, targets: Tensor, mask: Mask) -> Tensor:
    """The sums behind R², an output: squared error, target, squared target, number."""
    error, y = logits - targets, targets
    there = torch.ones((), device=y.device).expand_as(y) if mask is None else mask
    if mask is not None:
        error, y = torch.where(mask, error, 0.0), torch.where(mask, y, 0.0)
    sums = (error.square(), y, y.square(), there)
    return torch.stack([part.flatten(0, -2).sum(dim=0, dtype=widest(y)) for part in sums])


def r2(sums: Tensor) -> float:
    """1 − squared error / squared deviation from each output's own mean, over all outputs process_group."""
    error, y, y2, number = sums
    deviation = (y2 - y**2 / number.clamp(min=1)).sum()
    return float(1 - error.sum() / deviation)


def ratio(sums: Tensor) -> float:
    """Total over number."""
    return float(sums[0] / sums[1])


METRICS = {
    "cosine_similarity": Metric(cosine_similarity, ratio),
    "top_10_accuracy": Metric(top_10_accuracy, ratio),
    "top_1_accuracy": Metric(top_1_accuracy, ratio),
    "r2": Metric(r2_sums, r2),
}
