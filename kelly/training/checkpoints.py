"""Checkpoints: `{model}_latest.pt` after every epoch, `{model}_best.pt` after the best one; written atomically.

They contain tensors, numbers, strings, lists and dicts only and are read with `torch.load(weights_only=True)`. Files
that would run code, are truncated, fail their checksums or have an unexpected structure are rejected.
"""

import io
import sys
import zipfile
from collections.abc import Collection, Mapping
from math import isnan
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import AfterValidator, BaseModel, Field, JsonValue, ValidationError
from torch import Tensor, nn

from kelly.runtime.atomic import replacing
from kelly.runtime.errors import KellyError
from kelly.runtime.system_errors import raise_system_error

VERSION = 5
MAX_BYTES = 2**31  # a hundred times the largest of the five

Weights = dict[str, Tensor]
Finite = Annotated[float, Field(allow_inf_nan=False)]


def _check_column(tensor: Tensor) -> Tensor:
    if tensor.dtype != torch.float64 or tensor.dim() != 1 or form(tensor) != form(torch.empty_like(tensor)):
        raise ValueError(f"{form(tensor)}, expected a row of float64")
    if tensor.isinf().any():
        raise ValueError("values that are not finite")
    return tensor


# One value per epoch, NaN where nothing was measured. As a tensor: pickling a list of ten thousand numbers takes longer
# than training such an epoch.
Column = Annotated[Tensor, AfterValidator(_check_column)]


class EarlierVersionError(KellyError):
    """A checkpoint of an earlier version of this project, which cannot be read."""


class Schema(BaseModel, extra="forbid", strict=True, arbitrary_types_allowed=True):
    """Every field is required and of exactly its type."""


class Checkpoint(Schema):
    """What both checkpoints contain. metrics: the history up to `epoch`, by column."""

    version: Literal[5]
    model: str
    epoch: int = Field(ge=1)
    model_state_dict: Weights
    metrics: dict[str, Column]
    fingerprint: dict[str, JsonValue] | None


class OptimizerState(Schema):
    """Adam's settings, number of steps, and moments of all parameters as one row each."""

    learning_rate: Finite
    weight_decay: Finite
    max_gradient_norm: Finite
    schedule: str
    num_steps: Tensor
    exp_avg: Tensor
    exp_avg_sq: Tensor


class BestCheckpoint(Checkpoint):
    """The best epoch. Weights that no optimizer reached (an average) have no optimizer state and no metrics."""

    val_loss: Finite | None
    optimizer_state_dict: OptimizerState | None


class EarlyStoppingState(Schema):
    """The monitored value of every epoch, and the weights of the best one."""

    values: Column
    best_weights: Weights


class LatestCheckpoint(Checkpoint):
    """Everything needed to resume after the last epoch, and to write the best checkpoint again."""

    finished: bool  # whether the run has ended
    loss_limit: float = Field(ge=0, allow_inf_nan=False)
    optimizer_state_dict: OptimizerState
    best_optimizer_state_dict: OptimizerState
    generator_state: Tensor | None
    early_stopping: EarlyStoppingState


class CheckpointManager:
    """Saves and loads the checkpoints of any number of models in one folder."""

    def __init__(self, checkpoint_dir: Path | str) -> None:
        self.checkpoint_dir = Path(checkpoint_dir)

    def latest_path(self, model: str) -> Path:
        return self.checkpoint_dir / f"{model}_latest.pt"

    def best_path(self, model: str) -> Path:
        return self.checkpoint_dir / f"{model}_best.pt"

    def save_latest(self, model: str, state: Mapping[str, Any]) -> None:
        """Write the fields of LatestCheckpoint, without version and model. Columns are lists, None where missing."""
        stopping = state["early_stopping"]
        stopping = {**stopping, "values": _as_tensor(stopping["values"])}
        self._save(self.latest_path(model), model, {**state, "early_stopping": stopping})

    def save_best(self, model: str, state: Mapping[str, Any]) -> None:
        """Write the fields of BestCheckpoint, without version and model; those of the optimizer may be left out."""
        self._save(self.best_path(model), model, {"optimizer_state_dict": None, "metrics": {}, **state})

    def load_latest(self, model: str) -> dict[str, Any]:
        """Read the latest checkpoint. Raises KellyError if it is missing, unreadable or of another model."""
        state = self._load(self.latest_path(model), model, LatestCheckpoint)
        stopping = state["early_stopping"]
        return {**state, "early_stopping": {**stopping, "values": _as_list(stopping["values"])}}

    def load_best(self, model: str) -> dict[str, Any]:
        """Read the best checkpoint. Raises KellyError if it is missing, unreadable or of another model."""
        return self._load(self.best_path(model), model, BestCheckpoint)

    @staticmethod
    def _save(path: Path, model: str, state: Mapping[str, Any]) -> None:
        metrics = {name: _as_tensor(column) for name, column in state["metrics"].items()}
        # Through memory: torch.save names the archive after the file, and a temporary name would change the bytes.
        buffer = io.BytesIO()
        torch.save(_canonical({**state, "metrics": metrics, "version": VERSION, "model": model}), buffer)
        with replacing(path) as temporary:
            temporary.write_bytes(buffer.getvalue())

    @staticmethod
    def _load(path: Path, model: str, schema: type[Checkpoint]) -> dict[str, Any]:
        if path.exists() and not path.is_file():
            raise KellyError(f"{path} is not a file, expected a checkpoint; move it away and train again")
        if not path.exists():
            files = ", ".join(sorted(p.name for p in path.parent.glob("*.pt"))) or "no checkpoints"
            raise KellyError(f"{path} is missing ({path.parent} contains {files}); train {model} first or check the "
                             "folder")  # fmt: skip
        state: dict[str, Any] = _read(path)
        version, saved_model = (state.get("version"), state.get("model")) if isinstance(state, dict) else (None, None)
        if type(version) is not int or version != VERSION:
            found = str(version) if type(version) is int else type(version).__name__
            error_type = EarlierVersionError if type(version) is int and 0 < version < VERSION else KellyError
            raise error_type(f"{path} has version {found}, expected {VERSION}; delete it and train again")
        if type(saved_model) is not str or saved_model != model:
            raise KellyError(f"{path} is a checkpoint of {saved_model!r:.40}, expected {model!r}; restore the file")
        try:
            schema.model_validate(state)
        except ValidationError as error:
            lines = "\n".join(f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:10])
            raise KellyError(f"{path} is not a valid checkpoint; delete it and train again:\n{lines}") from None
        metrics = {name: _as_list(column) for name, column in state["metrics"].items()}
        if "epoch" in metrics:
            metrics["epoch"] = [None if value is None else int(value) for value in metrics["epoch"]]
        return {**state, "metrics": metrics}


def best_checkpoint(latest: Mapping[str, Any], epoch: int) -> dict[str, Any]:
    """The state to save as the best checkpoint, from that of the latest; epoch: which one is best."""
    metrics = {name: column[:epoch] for name, column in latest["metrics"].items()}
    return {
        "epoch": epoch,
        "val_loss": metrics["val_loss"][-1],
        "model_state_dict": latest["early_stopping"]["best_weights"],
        "optimizer_state_dict": latest["best_optimizer_state_dict"],
        "metrics": metrics,
        "fingerprint": latest["fingerprint"],
    }


def _canonical(value: Any) -> Any:
    """Nested plain dicts and lists with interned strings.

    Pickle writes an object that occurs twice only once: without this, equal states could give different bytes.
    """
    if isinstance(value, Mapping):
        return {_canonical(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return sys.intern(str(value)) if isinstance(value, str) else value


def _as_tensor(values: list[float | int | None]) -> Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float64))  # None becomes NaN


def _as_list(column: Tensor) -> list[Any]:
    return [None if isnan(value) else value for value in column.tolist()]


def _read(path: Path) -> Any:
    """Read a file of `torch.save`. Raises KellyError if it is damaged or contains more than plain tensors."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise KellyError(f"{path} has {size} bytes, expected at most {MAX_BYTES}; delete it and train again")
    try:
        # torch.load does not verify checksums, and would decompress to any size.
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.compress_type != zipfile.ZIP_STORED:
                    raise ValueError(f"{entry.filename} is compressed")
            if damaged := archive.testzip():
                raise ValueError(f"{damaged} does not match its checksum")
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a foreign or damaged file can raise anything
        raise_system_error(error, path)
        reason = type(error).__name__ + (f": {error}" if type(error) is ValueError else "")
        raise KellyError(
            f"{path} is damaged or not a checkpoint of plain tensors ({reason}); delete it and train again"
        ) from None


def form(value: Any) -> Any:
    """What tensors must share to be copied: shape, dtype, unusual layout and device. Other values are returned."""
    if not isinstance(value, Tensor):
        return value
    unusual = f" {value.layout} on {value.device}" if value.layout != torch.strided or value.is_meta else ""
    return f"{tuple(value.shape)} {value.dtype}{unusual}"


def differences(
    before: Mapping[str, Any], now: Mapping[str, Any], may_differ: Collection[str] = (), prefix: str = ""
) -> list[str]:
    """The differences between two nested dicts, one line each: 'learning_rate: checkpoint 0.001, now 0.0005'."""
    lines = []
    for key in sorted(before.keys() | now.keys(), key=str):
        old, new = form(before.get(key)), form(now.get(key))
        if isinstance(old, dict) and isinstance(new, dict):
            lines += differences(old, new, may_differ, "" if key == "training" else f"{prefix}{key}.")
        elif old != new and key not in may_differ:
            lines.append(f"{prefix}{key}: checkpoint {old!s:.200}, now {new!s:.200}")
    return lines


def load_weights(network: nn.Module, weights: Weights, path: Path | str) -> None:
    """Load the `weights` read from `path` into `network`. Raises KellyError listing what differs."""
    if lines := differences(weights, network.state_dict()):
        raise KellyError(f"{path} contains the weights of another network than {type(network).__name__}; train it "
                         "again:\n  " + "\n  ".join(lines[:20]))  # fmt: skip
    network.load_state_dict(weights)
