"""Adam over all parameters as one tensor, and what it needs to stay fast."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class Adam:
    """Adam: Kingma & Ba, "Adam: a method for stochastic optimization", 2015, with PyTorch's β = 0.9, 0.999, ε = 1e-8.

    A step is the one call that torch.optim.Adam(fused=True) comes to in the end, and a test compares the two bit by
    bit. What that does before costs a fifth of a small network's step, and its import half of PyTorch's own.

    parameters, gradient: one tensor each; the gradient is read at each step
    """

    def __init__(self, parameters: Tensor, gradient: Tensor, learning_rate: float) -> None:
        self.parameters, self.gradient, self.learning_rate = parameters, gradient, learning_rate
        self.exp_avg, self.exp_avg_sq = torch.zeros_like(parameters), torch.zeros_like(parameters)
        self.num_steps = torch.zeros((), device=parameters.device)  # float32, as the call wants it

    def step(self) -> None:
        """Move the parameters against their gradient."""
        self.num_steps += 1
        torch._fused_adam_(
            [self.parameters],
            [self.gradient],
            [self.exp_avg],
            [self.exp_avg_sq],
            [],
            [self.num_steps],
            lr=self.learning_rate,
            beta1=0.9,
            beta2=0.999,
            weight_decay=0.0,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )

    def state_dict(self) -> dict[str, Tensor | float]:
        """What decides the next steps, beside the parameters."""
        return {
            "learning_rate": self.learning_rate,
            "num_steps": self.num_steps,
            "exp_avg": self.exp_avg,
            "exp_avg_sq": self.exp_avg_sq,
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take in what `state_dict` gave; the learning rate must be the same."""
        for name in ("num_steps", "exp_avg", "exp_avg_sq"):
            getattr(self, name).copy_(state[name])


@contextmanager
def fading_to_zero() -> Iterator[None]:
    """Round numbers below 1e-38 to zero, as GPUs do.

    The moments of a weight whose unit has fallen silent fade towards zero, and processors compute with such small
    numbers several times slower: Adam's step on DynamicsEngine took four times as long after ten epochs.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
