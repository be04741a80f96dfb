"""Early stopping: best and patience stay apart."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kelly.training import DynamicsEngine, EarlyStopping

losses = st.lists(st.floats(0, 1) | st.just(math.nan) | st.just(math.inf), max_size=40)


def stop_epoch(values: list[float], patience: int, min_delta: float) -> int | None:
    """Early stopping as one would say it: the epoch when `patience` epochs in a row brought no progress."""
    reference, waited = None, 0
    for epoch, value in enumerate(values, start=1):
        progress = math.isfinite(value) and (reference is None or value < reference - min_delta)
        reference, waited = (value, 0) if progress else (reference, waited + 1)
        if waited == patience:
            return epoch
    return None


@given(losses, st.integers(1, 6), st.floats(0, 0.2))
def test_early_stopping_stops_when_patience_runs_out(values: list[float], patience: int, min_delta: float) -> None:
    stopper = EarlyStopping(patience, min_delta)
    stopped = next((epoch for epoch, value in enumerate(values, start=1) if stopper(value)), None)
    assert stopped == stop_epoch(values, patience, min_delta)


@given(losses)
def test_best_is_the_lowest_finite_value_whatever_min_delta_says(values: list[float]) -> None:
    stopper = EarlyStopping(patience=100, min_delta=0.5)
    for value in values:
        stopper(value)
    finite = [value for value in values if math.isfinite(value)]
    assert stopper.best_value == min(finite, default=None)
    assert stopper.best_epoch == (values.index(min(finite)) + 1 if finite else None)


@given(losses, st.integers(1, 6), st.integers(1, 6))
def test_raising_patience_and_going_on_equals_that_patience_from_the_start(
    values: list[float], patience: int, more: int
) -> None:
    short, long = EarlyStopping(patience), EarlyStopping(patience + more)
    seen = []
    for value in values:
        seen.append(value)
        if short(value):
            break
    for value in seen:
        long(value)
    resumed = EarlyStopping(patience + more)
    resumed.load_state_dict(short.state_dict())
    assert (resumed.counter, resumed.best_value, resumed.should_stop) == (
        long.counter,
        long.best_value,
        long.should_stop,
    )


def test_a_maximum_is_sought_in_mode_max() -> None:
    stopper = EarlyStopping(patience=2, min_delta=0.0, mode="max")
    assert [stopper(value) for value in (0.1, 0.5, 0.4, 0.5)] == [False, False, False, True]
    assert (stopper.best_value, stopper.best_epoch) == (0.5, 2)


def test_a_relative_min_delta_is_a_share_of_the_value() -> None:
    stopper = EarlyStopping(patience=1, min_delta=0.1, min_delta_mode="rel")
    assert [stopper(value) for value in (0.01, 0.0089, 0.0081)] == [False, False, True]


def test_restore_gives_the_best_weights_back() -> None:
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
    "bad", [{"patience": 0}, {"min_delta": -1}, {"min_delta": math.nan}, {"mode": "low"}, {"min_delta_mode": "x"}]
)
def test_bad_arguments_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        EarlyStopping(**bad)
