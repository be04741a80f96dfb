"""Learning rate schedules: constant or cosine, with an optional linear warm-up.

The rate depends on the step number only, so that a resumed run has the rates of an uninterrupted one.
"""

from collections.abc import Sized
from dataclasses import dataclass
from math import cos, pi
from typing import Any

from kelly.config.params import ScheduleKind
from kelly.runtime.errors import KellyError


@dataclass(frozen=True)
class Schedule:
    """The factor on the learning rate at each step.

    It rises linearly over `warmup_steps`. Then it stays at 1 (constant), or falls to 0 at `num_steps` along half a
    cosine (Loshchilov & Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017, without the restarts).
    """

    kind: ScheduleKind = "constant"
    warmup_steps: int = 0
    num_steps: int = 0

    def __call__(self, step: int) -> float:
        """The factor, 0..1, at a step counted from 0."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        if self.kind == "constant":
            return 1.0
        progress = (step - self.warmup_steps) / (self.num_steps - self.warmup_steps)
        return (1.0 + cos(pi * min(1.0, progress))) / 2.0


def over_epochs(kind: ScheduleKind, warmup_epochs: int, epochs: int, loader: Any) -> Schedule:
    """The schedule of at most `epochs` passes over `loader`.

    Raises KellyError if the loader has no length, unless the rate is constant, or if no epoch follows the warm-up.
    """
    if kind == "constant" and not warmup_epochs:
        return Schedule()
    if not isinstance(loader, Sized):
        raise KellyError(f"a {type(loader).__name__} has no length, and a learning rate schedule needs the number of "
                         "batches; give the loader a __len__, or use a constant learning rate")  # fmt: skip
    if warmup_epochs >= epochs:
        raise KellyError(f"warmup_epochs is {warmup_epochs}, expected fewer than epochs, {epochs}")
    return Schedule(kind, warmup_epochs * len(loader), epochs * len(loader) if kind == "cosine" else 0)
