"""Results as files: the metrics of a network for `dvc metrics`, and the history of its training."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from kelly.evaluation.metrics import Scores
from kelly.runtime.atomic import write_text
from kelly.runtime.errors import KellyError
from kelly.runtime.system_errors import raise_system_error
from kelly.tasks import Task

CURVES = ("train_loss", "val_loss", "train_metric", "val_metric")  # columns of a history besides `epoch`


def read_history(path: Path) -> dict[str, list[Any]]:
    """The columns of the history at `path`, nan where training diverged. Raises KellyError if it is not a history."""
    try:
        columns: dict[str, list[Any]] = orjson.loads(path.read_bytes())
        # JSON has no nan: it is written as null.
        columns |= {name: [math.nan if value is None else value for value in columns[name]] for name in CURVES}
        if {len(columns[name]) for name in CURVES} != {len(columns["epoch"])} or not columns["epoch"]:
            raise ValueError("expected columns of equal length, with at least one epoch")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise_system_error(error, path)
        raise KellyError(f"{path} is not a training history ({error!r}); train the network again") from None
    return columns


def best_row(history: Mapping[str, Sequence[float]]) -> int:
    """The row of a history with the lowest validation loss; the first if all diverged."""
    losses = history["val_loss"]
    return min(range(len(losses)), key=lambda row: (math.isnan(losses[row]), losses[row]))


def write_metrics(folder: Path, task: Task, scores: Scores, metadata: Mapping[str, Any], epochs: int) -> None:
    """Write `{folder}/{model}.json`: the scores and some numbers of the run, under the model's name.

    metadata: of the export. Raises KellyError where it lacks one of them.
    """
    try:
        run = {name: metadata["data"][name] for name in ("num_train", "num_validation", "num_test")}
        run |= {"epochs": epochs, "best_epoch": metadata["checkpoint"]["epoch"]}
        run |= {name: metadata[name] for name in ("num_parameters", "parity_error")}
    except (KeyError, TypeError) as error:
        raise KellyError(f"{task.name}.json: its metadata lacks {error}; export it again: dvc repro export") from None
    text = orjson.dumps({task.name: scores | run}, option=orjson.OPT_INDENT_2).decode()
    write_text(folder / f"{task.name}.json", text + "\n")


def read_metrics(folder: Path, model: str) -> dict[str, Any]:
    """The scores in `{folder}/{model}.json`. Raises KellyError where there are none."""
    path = folder / f"{model}.json"
    try:
        return dict(orjson.loads(path.read_bytes())[model])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise_system_error(error, path)
        raise KellyError(f"{path} contains no scores ({error!r}); run: dvc repro evaluate@{model}") from None
