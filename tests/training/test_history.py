"""The history of a run: the same numbers as JSON and CSV."""

import csv
import json
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly.training import TrainingMetrics
from kelly.training.train_model import is_due


def test_a_history_is_the_same_as_json_and_csv(tmp_path: Path) -> None:
    metrics = TrainingMetrics()
    metrics.add(1, 0.523, 0.567, 0.234, 0.198)
    metrics.add(2, 1 / 3, 0.489, 0.312, 0.287)
    metrics.save_json(tmp_path / "h.json")
    metrics.save_csv(tmp_path / "h.csv")
    assert json.loads((tmp_path / "h.json").read_text()) == {
        "epoch": [1, 2],
        "train_loss": [0.523, 1 / 3],
        "val_loss": [0.567, 0.489],
        "train_metric": [0.234, 0.312],
        "val_metric": [0.198, 0.287],
    }
    assert (tmp_path / "h.csv").read_text().splitlines() == [
        "epoch,train_loss,val_loss,train_metric,val_metric",
        "1,0.523,0.567,0.234,0.198",
        "2,0.3333333333333333,0.489,0.312,0.287",
    ]
    assert TrainingMetrics.load_json(tmp_path / "h.json").columns == metrics.columns


def test_a_history_takes_columns_of_ones_own_but_no_gaps() -> None:
    metrics = TrainingMetrics()
    metrics.add(1, 0.5, 0.6, learning_rate=0.1)
    assert metrics.columns["learning_rate"] == [0.1]
    with pytest.raises(ValueError, match="columns"):
        metrics.add(2, 0.5, 0.6)
    with pytest.raises(ValueError, match="epoch 3"):
        metrics.add(3, 0.5, 0.6, learning_rate=0.1)


def test_ten_thousand_epochs_write_their_history_some_hundreds_of_times() -> None:
    due = [epoch for epoch in range(1, 10_001) if is_due(epoch)]
    assert due[:199] == list(range(1, 200))  # as long as it is short, after each
    assert all(later - earlier <= max(1, earlier / 50) for earlier, later in pairwise(due))
    assert sum(due) < 100 * 10_000 * 2  # rows written: a multiple of the rows there are, not their square


numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.lists(st.tuples(numbers, numbers | st.none(), numbers | st.none(), numbers | st.none()), min_size=1, max_size=20)
)
def test_any_history_is_read_back_as_it_was_from_both_files(
    rows: list[tuple[float, float | None, float | None, float | None]],
) -> None:
    metrics = TrainingMetrics()
    for epoch, row in enumerate(rows, start=1):
        metrics.add(epoch, *row)
    with TemporaryDirectory() as folder:
        metrics.save_json(Path(folder) / "h.json")
        metrics.save_csv(Path(folder) / "h.csv")
        assert TrainingMetrics.load_json(Path(folder) / "h.json").columns == metrics.columns
        header, *lines = list(csv.reader((Path(folder) / "h.csv").read_text().splitlines()))
    columns = {
        name: [float(cell) if cell else None for cell in cells] for name, *cells in zip(header, *lines, strict=True)
    }
    assert columns == metrics.columns
