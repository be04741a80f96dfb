"""The learning rate from step to step: constant or falling to zero along a cosine, after a warm-up or at once.

A function of the number of the step and of nothing else, so that a resumed run has the rates of an unbroken one.
"""

from collections.abc import Sized
from dataclasses import dataclass
from math import cos, pi
from typing import Any

from kelly.config.params import ScheduleKind
from kelly.runtime.errors import KellyError


@dataclass(frozen=True)
class Schedule:
    """What the learning rate is multiplied by at each step.

    It rises in equal parts over `warmup_steps`; then it stays (constant), or falls to 0 at `num_steps` as half a cosine
    does (Loshchilov & Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017, without the restarts).
    """

    kind: ScheduleKind = "constant"
    warmup_steps: int = 0
    num_steps: int = 0

    def __call__(self, step: int) -> float:
        """The factor, 0..1, of a step, counted from 0."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        if self.kind == "constant":
            return 1.0
        share = (step - self.warmup_steps) / (self.num_steps - self.warmup_steps)
        return (1.0 + cos(pi * min(1.0, share))) / 2.0


def over_epochs(kind: ScheduleKind, warmup_epochs: int, epochs: int, loader: Any) -> Schedule:
    """The schedule of a training of at most `epochs` passes over `loader`.

    Raises KellyError where it cannot be told how many steps these are, or nothing is left after the warm-up.
    """
    if kind == "constant" and not warmup_epochs:
        return Schedule()
    if not isinstance(loader, Sized):
        raise KellyError(f"a {type(loader).__name__} does not say how many batches it has, which a schedule of the "
                         "learning rate goes by; give it a __len__, or keep the rate constant")  # fmt: skip
    if warmup_epochs >= epochs:
        raise KellyError(f"warmup_epochs is {warmup_epochs}, expected fewer than epochs, {epochs}")
    return Schedule(kind, warmup_epochs * len(loader), epochs * len(loader) if kind == "cosine" else 0)
