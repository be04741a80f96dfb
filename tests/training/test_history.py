"""The history of a run: the same numbers as JSON, CSV and table."""

import json
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly.training import TrainingMetrics
from kelly.training.train_model import is_due


def test_a_history_is_written_as_json_and_csv(tmp_path: Path) -> None:
    metrics = TrainingMetrics()
    metrics.add(1, 0.523, 0.567, 0.234, 0.198)
    metrics.add(2, 1 / 3, None, 0.312, None)
    metrics.save_json(tmp_path / "h.json")
    metrics.save_csv(tmp_path / "h.csv")
    assert json.loads((tmp_path / "h.json").read_text()) == {
        "epoch": [1, 2],
        "train_loss": [0.523, 1 / 3],
        "val_loss": [0.567, None],
        "train_metric": [0.234, 0.312],
        "val_metric": [0.198, None],
    }
    assert (tmp_path / "h.csv").read_text().splitlines() == [
        "epoch,train_loss,val_loss,train_metric,val_metric",
        "1,0.523,0.567,0.234,0.198",
        "2,0.3333333333333333,,0.312,",
    ]


def test_custom_metrics_are_columns_of_every_epoch() -> None:
    metrics = TrainingMetrics()
    metrics.add(1, 0.5, 0.6, learning_rate=0.1)
    assert metrics.columns["learning_rate"] == [0.1]
    with pytest.raises(ValueError, match="columns"):
        metrics.add(2, 0.5, 0.6)
    with pytest.raises(ValueError, match="epoch is 3, expected 2"):
        metrics.add(3, 0.5, 0.6, learning_rate=0.1)


def test_ten_thousand_epochs_write_their_history_some_hundreds_of_times() -> None:
    due = [epoch for epoch in range(1, 10_001) if is_due(epoch)]
    assert due[:199] == list(range(1, 200))
    assert all(later - earlier <= max(1, earlier / 50) for earlier, later in pairwise(due))
    assert sum(due) < 100 * 10_000 * 2  # rows written: linear in the number of epochs, not quadratic


numbers = st.floats(allow_nan=False, allow_infinity=False)
optional = numbers | st.none()


@given(st.lists(st.tuples(numbers, optional, optional, optional, numbers), min_size=1, max_size=20))
def test_any_history_is_read_back_exactly_from_both_files(
    rows: list[tuple[float, float | None, float | None, float | None, float]],
) -> None:
    metrics = TrainingMetrics()
    for epoch, (*values, custom) in enumerate(rows, start=1):
        metrics.add(epoch, *values, custom=custom)  # type: ignore[arg-type]
    with TemporaryDirectory() as folder:
        metrics.save_json(Path(folder) / "h.json")
        metrics.save_csv(Path(folder) / "h.csv")
        assert TrainingMetrics.load_json(Path(folder) / "h.json").columns == metrics.columns
        table = pd.read_csv(Path(folder) / "h.csv")
    pd.testing.assert_frame_equal(table, metrics.to_frame(), check_dtype=False, check_exact=True)
