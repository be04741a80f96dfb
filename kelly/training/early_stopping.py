"""Early stopping: which epoch was best, and when to give up waiting for a better one. The two stay apart."""

from math import inf, isfinite
from typing import Any, Literal

from torch import Tensor, nn


class EarlyStopping:
    """Watches one value an epoch. Best is the strictly best finite value; patience counts epochs without progress.

    patience: epochs to wait without an improvement of more than min_delta
    min_delta: in units of the value ('abs') or as a share of it ('rel'), counted from the last value that was progress
    mode: 'min' where a smaller value is better, 'max' where a larger one is
    restore_best_weights: whether `restore` gives a model its best weights back

    A value that is not finite is never best and never progress. Raises ValueError for bad arguments.
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
        self.patience = patience
        self.min_delta = min_delta
        self.mode = mode
        self.restore_best_weights = restore_best_weights
        self.min_delta_mode = min_delta_mode
        self.best_weights: dict[str, Tensor] | None = None
        self.forget()

    def forget(self) -> None:
        """Start anew: no value seen, no best."""
        self.values: list[float] = []
        self.best_value: float | None = None
        self.best_epoch: int | None = None
        self.reference = inf
        self.counter = 0
        self.is_best = False

    @property
    def should_stop(self) -> bool:
        """Whether patience has run out."""
        return self.counter >= self.patience

    def __call__(self, value: float, model: nn.Module | None = None) -> bool:
        """Take in the value of the epoch that ended, and the weights if it is the best; return whether to stop."""
        self.values.append(value)
        cost = value if self.mode == "min" else -value
        best = inf if self.best_value is None else self.best_value if self.mode == "min" else -self.best_value
        self.is_best = isfinite(value) and cost < best
        if self.is_best:
            self.best_value, self.best_epoch = value, len(self.values)
            if model is not None:
                # state_dict() only points at the weights, which go on changing: clone them.
                self.best_weights = {name: weight.detach().clone() for name, weight in model.state_dict().items()}
        delta = self.min_delta * (abs(self.reference) if self.min_delta_mode == "rel" else 1.0)
        if isfinite(value) and (self.reference == inf or cost < self.reference - delta):
            self.reference, self.counter = cost, 0
        else:
            self.counter += 1
        return self.should_stop

    def restore(self, model: nn.Module) -> None:
        """Give `model` its best weights back, if that is wanted and there was a best."""
        if self.restore_best_weights and self.best_weights is not None:
            model.load_state_dict(self.best_weights)

    def state_dict(self) -> dict[str, Any]:
        """What was seen, without the settings."""
        return {"values": list(self.values), "best_weights": self.best_weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take in what an earlier run saw, judged by the present settings: raising patience and going on works."""
        self.forget()
        for value in state["values"]:
            self(value)
        self.best_weights = state["best_weights"]
