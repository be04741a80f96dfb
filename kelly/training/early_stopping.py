"""Early stopping. Which epoch is best, and when to stop, are separate decisions."""

from math import inf, isfinite
from typing import Any, Literal

from torch import Tensor, nn


class EarlyStopping:
    """Monitors one value per epoch. Best is the strictly best finite value; patience counts epochs without progress.

    patience: epochs to wait for an improvement of more than min_delta
    min_delta: absolute ('abs') or relative to the value ('rel'), measured from the last value that was progress
    mode: 'min' if lower values are better, 'max' if higher ones are
    restore_best_weights: whether `restore` loads the best weights into a model

    A value that is not finite is neither best nor progress. Raises ValueError for invalid arguments.
    """

    def __init__(
        self,
        patience: int = 10,
        min_delta: float = 0.001,
        mode: Literal["min", "max"] = "min",
        restore_best_weights: bool = True,
        min_delta_mode: Literal["abs", "rel"] = "abs",
    ) -> None:
        if patience < 1:
            raise ValueError(f"patience is {patience}, expected 1 or more epochs")
        if not (min_delta >= 0 and isfinite(min_delta)):
            raise ValueError(f"min_delta is {min_delta}, expected 0 or more")
        if mode not in ("min", "max"):
            raise ValueError(f"mode is {mode!r}, expected 'min' or 'max'")
        if min_delta_mode not in ("abs", "rel"):
            raise ValueError(f"min_delta_mode is {min_delta_mode!r}, expected 'abs' or 'rel'")
        self.patience, self.min_delta, self.min_delta_mode = patience, min_delta, min_delta_mode
        self.mode, self.restore_best_weights = mode, restore_best_weights
        self.best_weights: dict[str, Tensor] | None = None
        self.reset()

    def reset(self) -> None:
        self.values: list[float] = []
        self.best_value: float | None = None
        self.best_epoch: int | None = None
        self.reference = inf
        self.counter = 0
        self.is_best = False

    @property
    def should_stop(self) -> bool:
        return self.counter >= self.patience

    def __call__(self, value: float, model: nn.Module | None = None) -> bool:
        """Record the value of an epoch, and the model's weights if it is the best; return whether to stop."""
        self.values.append(value)
        loss = value if self.mode == "min" else -value
        best = inf if self.best_value is None else self.best_value if self.mode == "min" else -self.best_value
        self.is_best = isfinite(value) and loss < best
        if self.is_best:
            self.best_value, self.best_epoch = value, len(self.values)
            if model is not None:
                # state_dict() does not copy: training would change these weights.
                self.best_weights = {name: weight.detach().clone() for name, weight in model.state_dict().items()}
        delta = self.min_delta * (abs(self.reference) if self.min_delta_mode == "rel" else 1.0)
        if isfinite(value) and (self.reference == inf or loss < self.reference - delta):
            self.reference, self.counter = loss, 0
        else:
            self.counter += 1
        return self.should_stop

    def restore(self, model: nn.Module) -> None:
        """Load the best weights into `model`, if there are any and restore_best_weights is set."""
        if self.restore_best_weights and self.best_weights is not None:
            model.load_state_dict(self.best_weights)

    def state_dict(self) -> dict[str, Any]:
        """All values and the best weights, without the settings."""
        return {"values": list(self.values), "best_weights": self.best_weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Replay the values of an earlier run under the present settings: patience may be raised to train longer."""
        self.reset()
        for value in state["values"]:
            self(value)
        self.best_weights = state["best_weights"]
