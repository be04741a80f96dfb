"""All that the page tells of one network, as the pipeline left it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from kelly.errors import KellyError
from kelly.tasks import Task

COLUMNS = ("epoch", "train_loss", "val_loss", "train_metric", "val_metric")


@dataclass(frozen=True)
class Facts:
    """What is known of one network.

    scores: its metrics; about: the content of its dataset.json; metadata: what its export says of itself
    history: the columns of its training
    """

    task: Task
    scores: Mapping[str, float]
    about: Mapping[str, Any]
    metadata: Mapping[str, Any]
    history: Mapping[str, Sequence[float]]

    @property
    def revision(self) -> str:
        """The commit of the code that made it, '' where that is not known."""
        return str(self.metadata.get("revision") or "")

    @property
    def skipped(self) -> Sequence[Mapping[str, str]]:
        """The files that its source could not use, each with the reason."""
        found: Sequence[Mapping[str, str]] = self.about["facts"].get("skipped", ())
        return found

    @property
    def best_row(self) -> int:
        """The row of the history with the lowest validation loss."""
        losses = self.history["val_loss"]
        return min(range(len(losses)), key=losses.__getitem__)


def read_columns(path: Path) -> Mapping[str, Sequence[float]]:
    """The columns of a history. Raises KellyError where it is none."""
    try:
        columns: Mapping[str, Sequence[float]] = orjson.loads(path.read_bytes())
        if not columns["epoch"] or any(
            len(columns[name]) != len(columns["epoch"]) for name in ("val_loss", "train_loss")
        ):
            raise KeyError("epochs")
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise KellyError(f"{path} is not a history ({error!r}); train the network again") from None
    return columns


def read_picture(path: Path) -> str:
    """An SVG that the pipeline drew. Raises KellyError where it is missing."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise KellyError(f"{path} cannot be read ({reason}); run the stage that draws it again: dvc repro -f") from None
