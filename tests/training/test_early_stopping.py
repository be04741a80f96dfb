"""Early stopping: the best epoch and patience are independent."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kelly.training import DynamicsEngine, EarlyStopping

losses = st.lists(st.floats(0, 1) | st.just(math.nan) | st.just(math.inf), max_size=40)


def stop_epoch(values: list[float], patience: int, min_delta: float) -> int | None:
    """The epoch at which `patience` epochs in a row brought no progress."""
    reference, counter = None, 0
    for epoch, value in enumerate(values, start=1):
        progress = math.isfinite(value) and (reference is None or value < reference - min_delta)
        reference, counter = (value, 0) if progress else (reference, counter + 1)
        if counter == patience:
            return epoch
    return None


@given(losses, st.integers(1, 6), st.floats(0, 0.2))
def test_training_stops_when_patience_runs_out(values: list[float], patience: int, min_delta: float) -> None:
    stopper = EarlyStopping(patience, min_delta)
    stopped = next((epoch for epoch, value in enumerate(values, start=1) if stopper(value)), None)
    assert stopped == stop_epoch(values, patience, min_delta)


@given(losses)
def test_best_is_the_lowest_finite_value_regardless_of_min_delta(values: list[float]) -> None:
    stopper = EarlyStopping(patience=100, min_delta=0.5)
    for value in values:
        stopper(value)
    finite = [value for value in values if math.isfinite(value)]
    assert stopper.best_value == min(finite, default=None)
    assert stopper.best_epoch == (values.index(min(finite)) + 1 if finite else None)


@given(losses, st.integers(1, 6), st.integers(1, 6))
def test_raising_patience_and_resuming_equals_that_patience_from_the_start(
    values: list[float], patience: int, more: int
) -> None:
    short, long, resumed = EarlyStopping(patience), EarlyStopping(patience + more), EarlyStopping(patience + more)
    for value in values[: stop_epoch(values, patience, short.min_delta)]:
        short(value)
        long(value)
    resumed.load_state_dict(short.state_dict())
    for name in ("counter", "best_value", "should_stop"):
        assert getattr(resumed, name) == getattr(long, name)


def test_mode_max_monitors_a_maximum() -> None:
    stopper = EarlyStopping(patience=2, min_delta=0.0, mode="max")
    assert [stopper(value) for value in (0.1, 0.5, 0.4, 0.5)] == [False, False, False, True]
    assert (stopper.best_value, stopper.best_epoch) == (0.5, 2)


def test_a_relative_min_delta_is_a_fraction_of_the_value() -> None:
    stopper = EarlyStopping(patience=1, min_delta=0.1, min_delta_mode="rel")
    assert [stopper(value) for value in (0.01, 0.0089, 0.0081)] == [False, False, True]


def test_restore_loads_the_best_weights() -> None:
    model, stopper = DynamicsEngine(), EarlyStopping()
    best = {name: weight.clone() for name, weight in model.state_dict().items()}
    stopper(1.0, model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    stopper(2.0, model)
    stopper.restore(model)
    assert all(torch.equal(weight, best[name]) for name, weight in model.state_dict().items())


@pytest.mark.parametrize(
    "invalid", [{"patience": 0}, {"min_delta": -1}, {"min_delta": math.nan}, {"mode": "low"}, {"min_delta_mode": "x"}]
)
def test_invalid_arguments_are_rejected(invalid: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(invalid))):
        EarlyStopping(**invalid)
