"""The history of a training run: one row per epoch, saved as JSON (columns) and as CSV."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from kelly.runtime.atomic import write_text

if TYPE_CHECKING:
    import pandas

COLUMNS = ("epoch", "train_loss", "val_loss", "train_metric", "val_metric")
Value = float | int | None


class TrainingMetrics:
    """Losses and metrics of every epoch so far; None where nothing was measured (no validation data)."""

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
        """Record an epoch, counted from 1. `custom` metrics become columns, the same ones in every epoch.

        Raises ValueError if the epoch is not the next one, or its columns are not those of the epochs before.
        """
        row = dict(zip(COLUMNS, (epoch, train_loss, val_loss, train_metric, val_metric), strict=True)) | custom
        if epoch != len(self) + 1:
            raise ValueError(f"epoch is {epoch}, expected {len(self) + 1}")
        if len(self) == 0:
            self.columns = {name: [] for name in row}
        if row.keys() != self.columns.keys():
            raise ValueError(f"epoch {epoch} has the columns {list(row)}, expected {list(self.columns)}")
        for name, value in row.items():
            self.columns[name].append(value)

    def to_dict(self) -> dict[str, list[Value]]:
        """A copy of the columns, as in the JSON file."""
        return {name: list(column) for name, column in self.columns.items()}

    def to_frame(self) -> "pandas.DataFrame":
        """The history as a table, NaN for None."""
        import pandas  # slow to import, and training does not need it

        return pandas.DataFrame(self.columns)

    def load_dict(self, columns: dict[str, list[Value]]) -> None:
        """Replace the columns by those of `to_dict`."""
        self.columns = {name: list(column) for name, column in columns.items()}

    def save_json(self, path: Path) -> None:
        """Write the columns as JSON, one per line, atomically."""
        # orjson writes the shortest digits that round-trip, a hundred times as fast as json.
        lines = (f"  {orjson.dumps(name).decode()}: {orjson.dumps(c).decode()}" for name, c in self.columns.items())
        write_text(Path(path), "{\n" + ",\n".join(lines) + "\n}\n")

    def save_csv(self, path: Path) -> None:
        """Write one line per epoch as CSV, atomically."""
        write_text(Path(path), self.to_frame().to_csv(index=False, lineterminator="\n"))

    @classmethod
    def load_json(cls, path: Path) -> "TrainingMetrics":
        """Read what `save_json` wrote."""
        metrics = cls()
        metrics.load_dict(json.loads(Path(path).read_text(encoding="utf-8")))
        return metrics
