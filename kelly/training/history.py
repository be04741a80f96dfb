"""The record of a training run: one row an epoch, as JSON (columns) and CSV (the same numbers)."""

import csv
import io
import json
from pathlib import Path

import orjson

from kelly.runtime.atomic import write_text

COLUMNS = ("epoch", "train_loss", "val_loss", "train_metric", "val_metric")
Value = float | int | None


def text(value: str | list[Value]) -> str:
    """As JSON."""
    return orjson.dumps(value).decode()


class TrainingMetrics:
    """Losses and metrics of every epoch so far. None stands where there was nothing to measure (no validation data)."""

    def __init__(self) -> None:
        self.columns: dict[str, list[Value]] = {name: [] for name in COLUMNS}

    def __len__(self) -> int:
        return len(self.columns["epoch"])

    def add(
        self,
        epoch: int,
        train_loss: float,
        val_loss: float | None = None,
        train_metric: float | None = None,
        val_metric: float | None = None,
        **custom: float,
    ) -> None:
        """Record one epoch (counted from 1). `custom` adds columns of one's own, the same in every epoch."""
        row = dict(zip(COLUMNS, (epoch, train_loss, val_loss, train_metric, val_metric), strict=True)) | custom
        if epoch != len(self) + 1:
            raise ValueError(f"epoch {epoch} cannot follow epoch {len(self)}")
        if len(self) == 0:
            self.columns = {name: [] for name in row}
        if row.keys() != self.columns.keys():
            raise ValueError(f"epoch {epoch} has the columns {list(row)}, expected {list(self.columns)}")
        for name, value in row.items():
            self.columns[name].append(value)

    def to_dict(self) -> dict[str, list[Value]]:
        """The columns, as in the JSON file."""
        return {name: list(column) for name, column in self.columns.items()}

    def load_dict(self, columns: dict[str, list[Value]]) -> None:
        """Take the place of what `to_dict` gave."""
        self.columns = {name: list(column) for name, column in columns.items()}

    def save_json(self, path: Path) -> None:
        """Write the columns as JSON, whole or not at all."""
        # orjson writes the shortest digits that are read back as the same number, and a hundred times as fast.
        rows = ",\n".join(f"  {text(name)}: {text(column)}" for name, column in self.columns.items())
        write_text(Path(path), "{\n" + rows + "\n}\n")

    def save_csv(self, path: Path) -> None:
        """Write one line an epoch as CSV, whole or not at all."""
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(zip(*self.columns.values(), strict=True))
        write_text(Path(path), table.getvalue())

    @classmethod
    def load_json(cls, path: Path) -> "TrainingMetrics":
        """Read what `save_json` wrote."""
        metrics = cls()
        metrics.load_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        return metrics
