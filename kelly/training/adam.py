"""Adam and AdamW over all parameters as one tensor, and what they need to stay fast."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from kelly.training.schedules import Schedule


class Adam:
    """Adam: Kingma & Ba, "Adam: a method for stochastic optimization", 2015, with PyTorch's β = 0.9, 0.999, ε = 1e-8.

    A step is the one call that torch.optim.Adam(fused=True) comes to in the end, and a test compares the two bit by
    bit. What that does before costs a fifth of a small network's step, and its import half of PyTorch's own.

    parameters, gradient: one tensor each; the gradient is read at each step, and may be changed by it
    weight_decay: the share of a weight that each step takes off it, times the learning rate: AdamW (Loshchilov &
        Hutter, "Decoupled weight decay regularization", 2019); 0: Adam
    max_gradient_norm: a longer gradient is cut to this length (Pascanu, Mikolov & Bengio, "On the difficulty of
        training recurrent neural networks", 2013), as torch.nn.utils.clip_grad_norm_ does; 0: none is
    """

    def __init__(
        self,
        parameters: Tensor,
        gradient: Tensor,
        learning_rate: float,
        weight_decay: float = 0.0,
        max_gradient_norm: float = 0.0,
        schedule: Schedule | None = None,
    ) -> None:
        self.parameters, self.gradient, self.learning_rate = parameters, gradient, learning_rate
        self.weight_decay, self.max_gradient_norm = weight_decay, max_gradient_norm
        self.schedule = schedule if schedule is not None else Schedule()
        self.exp_avg, self.exp_avg_sq = torch.zeros_like(parameters), torch.zeros_like(parameters)
        self.num_steps = torch.zeros((), device=parameters.device)  # float32, as the call wants it
        self.steps_taken = 0  # the same number where no device has to be asked for it
        self.update = torch._fused_adamw_ if weight_decay else torch._fused_adam_

    def step(self) -> None:
        """Move the parameters against their gradient."""
        if self.max_gradient_norm:
            norm = torch.linalg.vector_norm(self.gradient)
            self.gradient.mul_((self.max_gradient_norm / (norm + 1e-6)).clamp_(max=1.0))
        rate = self.learning_rate * self.schedule(self.steps_taken)
        self.steps_taken += 1
        self.num_steps += 1
        self.update(
            [self.parameters],
            [self.gradient],
            [self.exp_avg],
            [self.exp_avg_sq],
            [],
            [self.num_steps],
            lr=rate,
            beta1=0.9,
            beta2=0.999,
            weight_decay=self.weight_decay,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )

    def state_dict(self) -> dict[str, Tensor | float | str]:
        """What decides the next steps, beside the parameters."""
        return {
            "learning_rate": self.learning_rate,
            "weight_decay": self.weight_decay,
            "max_gradient_norm": self.max_gradient_norm,
            "schedule": str(self.schedule),
            "num_steps": self.num_steps,
            "exp_avg": self.exp_avg,
            "exp_avg_sq": self.exp_avg_sq,
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take in what `state_dict` gave; what is no tensor must be the same."""
        for name in ("num_steps", "exp_avg", "exp_avg_sq"):
            getattr(self, name).copy_(state[name])
        self.steps_taken = int(self.num_steps)


@contextmanager
def flush_denormals() -> Iterator[None]:
    """Round numbers below 1e-38 to zero, as GPUs do.

    The moments of a weight whose unit has fallen silent fade towards zero, and processors compute with such small
    numbers several times slower: Adam's step on DynamicsEngine took four times as long after ten epochs.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
