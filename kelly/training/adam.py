"""Adam and AdamW on all parameters as one tensor."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from kelly.training.schedules import Schedule

STATE_TENSORS = ("num_steps", "exp_avg", "exp_avg_sq")


class Adam:
    """Adam: Kingma & Ba, "Adam: a method for stochastic optimization", 2015, with PyTorch's β = 0.9, 0.999, ε = 1e-8.

    A step is the fused kernel that torch.optim.Adam(fused=True) calls; a test compares the two bit by bit. The code
    around that kernel costs a fifth of a small network's step, and importing it takes half as long as importing torch.

    parameters, gradient: one tensor each; a step reads the gradient and may change it
    weight_decay: AdamW's decoupled weight decay (Loshchilov & Hutter, "Decoupled weight decay regularization", 2019);
        0: Adam
    max_gradient_norm: clip the gradient to this norm (Pascanu, Mikolov & Bengio, "On the difficulty of training
        recurrent neural networks", 2013) as torch.nn.utils.clip_grad_norm_ does; 0: no clipping
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
        self.schedule = schedule or Schedule()
        self.exp_avg, self.exp_avg_sq = torch.zeros_like(parameters), torch.zeros_like(parameters)
        self.num_steps = torch.zeros((), device=parameters.device)  # float32, as the kernel requires
        self.steps_taken = 0  # the same number, without a read from the device
        self.update = torch._fused_adamw_ if weight_decay else torch._fused_adam_

    def step(self) -> None:
        """Update the parameters from the gradient."""
        if self.max_gradient_norm:
            norm = torch.linalg.vector_norm(self.gradient)
            self.gradient.mul_((self.max_gradient_norm / (norm + 1e-6)).clamp_(max=1.0))
        learning_rate = self.learning_rate * self.schedule(self.steps_taken)
        self.steps_taken += 1
        self.num_steps += 1
        self.update(
            [self.parameters], [self.gradient], [self.exp_avg], [self.exp_avg_sq], [], [self.num_steps],
            lr=learning_rate, beta1=0.9, beta2=0.999, weight_decay=self.weight_decay, eps=1e-8,
            amsgrad=False, maximize=False,
        )  # fmt: skip

    def state_dict(self) -> dict[str, Tensor | float | str]:
        """The settings, the number of steps and the moments; tensors are not copied."""
        names = ("learning_rate", "weight_decay", "max_gradient_norm", "schedule", *STATE_TENSORS)
        values = {name: getattr(self, name) for name in names}
        return values | {"schedule": str(self.schedule)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Copy the tensors of a `state_dict`; its settings must be those of this optimizer."""
        for name in STATE_TENSORS:
            getattr(self, name).copy_(state[name])
        self.steps_taken = int(self.num_steps)


@contextmanager
def flush_denormals() -> Iterator[None]:
    """Round numbers below 1e-38 to zero, as GPUs do.

    The moments of a dead unit's weights decay towards zero, and CPUs are several times slower on denormal numbers:
    Adam's step on DynamicsEngine took four times as long after ten epochs.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
