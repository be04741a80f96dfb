"""Training losses and the metrics of the history, as sums that can be added over batches and processes.

logits: float[..., out] from Network.logits; targets: of the same shape, or for a cross entropy int64[...] class indices
or float[..., out] class probabilities; mask: bool, shape of targets ([...] for a cross entropy), False where a target
is missing, None if none is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from kelly.training.distributed import SINGLE_PROCESS, ProcessGroup

Mask = Tensor | None


@dataclass(frozen=True)
class Loss:
    """A loss: the mean of `elementwise` over what is not missing.

    elementwise: logits z, targets y → the loss of each output, or of each frame if `per_frame`; entropies are in nats
    gradient: z, y, out → its derivative by the logits, divided by `factor`, written to `out`
    """

    elementwise: Callable[[Tensor, Tensor], Tensor]
    gradient: Callable[[Tensor, Tensor, Tensor], Tensor]
    factor: float = 1.0
    per_frame: bool = False

    def sums(self, logits: Tensor, targets: Tensor, mask: Mask) -> tuple[Tensor, Tensor | int]:
        """The sum of the loss over what is not missing, and the number of its terms."""
        return masked_sum(self.elementwise(logits, targets), mask)


def masked_sum(values: Tensor, mask: Mask) -> tuple[Tensor, Tensor | int]:
    """The sum of `values` where the mask is true, and their number."""
    return (values.sum(), values.numel()) if mask is None else (torch.where(mask, values, 0.0).sum(), mask.sum())


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """As in PyTorch, the entropy of probability targets is not subtracted."""
    if targets.is_floating_point():
        return -(targets * functional.log_softmax(logits, dim=-1)).sum(dim=-1)
    return functional.cross_entropy(logits.flatten(0, -2), targets.flatten(), reduction="none").view(targets.shape)


def cross_entropy_gradient(logits: Tensor, targets: Tensor, out: Tensor) -> Tensor:
    """softmax(z) − y; y is one-hot for class indices."""
    torch.softmax(logits, dim=-1, out=out)
    if targets.is_floating_point():
        return out.sub_(targets)
    return out.scatter_add_(-1, targets[..., None], out.new_full((1, 1), -1.0).expand(len(out), 1))


LOSSES = {
    "mse": Loss(lambda z, y: (z - y).square_(), lambda z, y, out: torch.sub(z, y, out=out), factor=2.0),
    "bce": Loss(
        partial(functional.binary_cross_entropy_with_logits, reduction="none"),
        lambda z, y, out: torch.sigmoid(z, out=out).sub_(y),
    ),
    "cross_entropy": Loss(cross_entropy, cross_entropy_gradient, per_frame=True),
}


def constant_logits(
    loss: str, targets: Sequence[tuple[Tensor, Mask]], num_outputs: int, process_group: ProcessGroup = SINGLE_PROCESS
) -> Tensor:
    """The constant logits float[num_outputs] with the lowest `loss`.

    targets: with their mask, of each batch, or of this process's share of it
    """
    total, count = torch.zeros(2, num_outputs, dtype=torch.float64)
    for y, mask in targets:
        if loss == "cross_entropy":
            y = y if y.is_floating_point() else functional.one_hot(y, num_outputs)
            mask = None if mask is None else mask[..., None].expand_as(y)
        valid = torch.ones_like(y, dtype=torch.bool) if mask is None else mask
        total += widest(torch.where(valid, y, 0).flatten(0, -2)).sum(dim=0).cpu()
        count += valid.flatten(0, -2).sum(dim=0).cpu()
    process_group.all_reduce_(total)
    process_group.all_reduce_(count)
    average: Tensor = (total / count.clamp(min=1)).float().to(targets[0][0].device)
    if loss == "mse":
        return average
    probability = average.clamp(1e-6, 1 - 1e-6)
    return torch.logit(probability) if loss == "bce" else torch.log(probability)


@dataclass(frozen=True)
class Metric:
    """A metric of a whole split: the `sums` of all batches are added up; `compute` returns the metric of the total."""

    sums: Callable[[Tensor, Tensor, Mask], Tensor]
    compute: Callable[[Tensor], float] = lambda sums: float(sums[0] / sums[1])  # the mean, from total and count


def widest(tensor: Tensor) -> Tensor:
    """`tensor` in float64, or in float32 on Apple GPUs, which have no other."""
    return tensor.to(torch.float32 if tensor.device.type == "mps" else torch.float64)


def mean_sums(values: Tensor, mask: Mask) -> Tensor:
    """Total and count of `values`, one per frame; a frame is masked if all its outputs are missing."""
    mask = mask.any(dim=-1) if mask is not None and mask.dim() > values.dim() else mask
    total, count = masked_sum(values, mask)
    return torch.stack([widest(total), widest(torch.as_tensor(count, device=total.device))])


def cosine_similarity_sums(logits: Tensor, targets: Tensor, mask: Mask) -> Tensor:
    """Cosine of the angle between predicted and true vector, per frame."""
    return mean_sums(functional.cosine_similarity(logits, targets, dim=-1), mask)


def top_10_accuracy_sums(logits: Tensor, targets: Tensor, mask: Mask) -> Tensor:
    """Fraction of the ten highest outputs that are 1 in the target, per frame."""
    top_10 = logits.topk(10, dim=-1).indices
    return mean_sums(targets.gather(-1, top_10).mean(dim=-1), mask)


def top_1_accuracy_sums(logits: Tensor, targets: Tensor, mask: Mask) -> Tensor:
    """Whether the highest output is that of the true, or most probable, class, per frame."""
    classes = targets.argmax(dim=-1) if targets.is_floating_point() else targets
    return mean_sums(widest(logits.argmax(dim=-1) == classes), mask)


def r2_sums(logits: Tensor, targets: Tensor, mask: Mask) -> Tensor:
    """Per output: squared error, target, squared target, count."""
    error, y = logits - targets, targets
    valid = torch.ones((), device=y.device).expand_as(y) if mask is None else mask
    if mask is not None:
        error, y = torch.where(mask, error, 0.0), torch.where(mask, y, 0.0)
    terms = (error.square(), y, y.square(), valid)
    return torch.stack([widest(term).flatten(0, -2).sum(dim=0) for term in terms])


def r2(sums: Tensor) -> float:
    """1 − squared error / squared deviation from each output's mean, both summed over all outputs."""
    error, y, y2, count = sums
    deviation = (y2 - y**2 / count.clamp(min=1)).sum()
    return float(1 - error.sum() / deviation)


METRICS = {
    "cosine_similarity": Metric(cosine_similarity_sums),
    "top_10_accuracy": Metric(top_10_accuracy_sums),
    "top_1_accuracy": Metric(top_1_accuracy_sums),
    "r2": Metric(r2_sums, r2),
}
