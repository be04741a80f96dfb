"""Checkpoints: `{model}_latest.pt` after every epoch and `{model}_best.pt`, written whole or not at all.

They hold tensors, numbers, strings, lists and dicts only, so that `torch.load(weights_only=True)` reads them: a file
that would run code is refused, and so is one that is cut short, was altered on the disk or is not what it should be.
"""

import io
import zipfile
from math import isnan
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError
from torch import Tensor, nn

from kelly.runtime.atomic import replacing
from kelly.runtime.errors import KellyError

VERSION = 4
MAX_BYTES = 2**31  # a hundred times what the largest of the five needs

Weights = dict[str, Tensor]
Finite = Annotated[float, Field(allow_inf_nan=False)]


def _numbers(tensor: Tensor) -> Tensor:
    if tensor.dtype != torch.float64 or tensor.dim() != 1 or form(tensor) != form(torch.empty_like(tensor)):
        raise ValueError(f"{form(tensor)}, expected a row of float64")
    if tensor.isinf().any():
        raise ValueError("holds values that are not finite")
    return tensor


# One value an epoch, nan where there was nothing to measure. A row of numbers, since a list of ten thousand took longer
# to write than such epochs take to train.
Column = Annotated[Tensor, AfterValidator(_numbers)]


class EarlierVersionError(KellyError):
    """A checkpoint of an earlier version of this project, which nothing can be taken from."""


class State(BaseModel):
    """What every checkpoint holds."""

    model_config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)

    version: Literal[4]
    model: str
    epoch: int = Field(ge=1)
    model_state_dict: Weights
    fingerprint: dict[str, JsonValue] | None


class Best(State):
    """The best epoch's weights and what they are."""

    val_loss: Finite | None


class Seen(BaseModel):
    """What early stopping has seen: the value of every epoch, and the weights of the best."""

    model_config = State.model_config

    values: Column
    best_weights: Weights


class Optimizer(BaseModel):
    """How Adam steps, its steps so far, and its moments of all parameters in one row."""

    model_config = State.model_config

    learning_rate: Finite
    weight_decay: Finite
    max_gradient_norm: Finite
    schedule: str
    num_steps: Tensor
    exp_avg: Tensor
    exp_avg_sq: Tensor


class Latest(State):
    """Everything that is needed to go on after the last epoch. finished: nothing is left to do."""

    finished: bool
    loss_limit: float = Field(ge=0, allow_inf_nan=False)
    optimizer_state_dict: Optimizer
    generator_state: Tensor | None
    early_stopping: Seen
    metrics: dict[str, Column]


class CheckpointManager:
    """Saves and loads the checkpoints of any number of models in one folder, each under its name."""

    def __init__(self, checkpoint_dir: Path | str) -> None:
        self.checkpoint_dir = Path(checkpoint_dir)

    def latest_path(self, model: str) -> Path:
        """Where the state after the last epoch lies."""
        return self.checkpoint_dir / f"{model}_latest.pt"

    def best_path(self, model: str) -> Path:
        """Where the weights of the best epoch lie."""
        return self.checkpoint_dir / f"{model}_best.pt"

    def save_latest(self, model: str, state: dict[str, Any]) -> None:
        """Write everything that is needed to go on after the last epoch."""
        seen = state["early_stopping"]
        rows = {
            "metrics": {name: _as_row(column) for name, column in state["metrics"].items()},
            "early_stopping": {**seen, "values": _as_row(seen["values"])},
        }
        self._save(self.latest_path(model), {**state, **rows, "version": VERSION, "model": model})

    def save_best(self, model: str, state: dict[str, Any]) -> None:
        """Write the best epoch's weights and what they are."""
        self._save(self.best_path(model), {**state, "version": VERSION, "model": model})

    def load_latest(self, model: str) -> dict[str, Any]:
        """Read the state after the last epoch. Raises KellyError where there is none or it is not this model's."""
        state = self._load(self.latest_path(model), model, Latest)
        metrics: dict[str, list[Any]] = {name: _as_list(column) for name, column in state["metrics"].items()}
        if "epoch" in metrics:
            metrics["epoch"] = [None if value is None else int(value) for value in metrics["epoch"]]
        seen = state["early_stopping"]
        return {**state, "metrics": metrics, "early_stopping": {**seen, "values": _as_list(seen["values"])}}

    def load_best(self, model: str) -> dict[str, Any]:
        """Read the best epoch. Raises KellyError where there is none or it is not this model's."""
        return self._load(self.best_path(model), model, Best)

    @staticmethod
    def _save(path: Path, state: dict[str, Any]) -> None:
        # Through memory: torch.save names the archive after the file, and a temporary name would change the bytes.
        buffer = io.BytesIO()
        torch.save(state, buffer)
        with replacing(path) as temporary:
            temporary.write_bytes(buffer.getvalue())

    @staticmethod
    def _load(path: Path, model: str, kind: type[State]) -> dict[str, Any]:
        if path.exists() and not path.is_file():
            raise KellyError(f"{path} is not a file, expected a checkpoint; move it away and train again")
        if not path.exists():
            there = sorted(p.name for p in path.parent.glob("*.pt")) if path.parent.is_dir() else []
            found = f"it holds {', '.join(there)}" if there else "it holds no checkpoints"
            raise KellyError(f"{path} is missing ({path.parent}: {found}); train {model} first or check the folder")
        state: dict[str, Any] = _read(path)
        version, holds = (state.get("version"), state.get("model")) if isinstance(state, dict) else (None, None)
        if type(version) is not int or version != VERSION:
            found = str(version) if type(version) is int else type(version).__name__
            kind_of_error = EarlierVersionError if type(version) is int and 0 < version < VERSION else KellyError
            raise kind_of_error(f"{path} has version {found}, expected {VERSION}; delete it and train again")
        if type(holds) is not str or holds != model:
            raise KellyError(f"{path} is a checkpoint of {holds!r:.40}, expected {model!r}; restore the right one")
        try:
            kind.model_validate(state)
        except ValidationError as error:
            lines = "\n".join(f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:10])
            raise KellyError(
                f"{path} does not hold what a checkpoint holds; delete it and train again:\n{lines}"
            ) from None
        return state


def _as_row(values: list[float | int | None]) -> Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float64))  # None becomes nan


def _as_list(row: Tensor) -> list[float | None]:
    return [None if isnan(value) else value for value in row.tolist()]


def _read(path: Path) -> Any:
    """What a file of `torch.save` holds. Raises KellyError where it is damaged, or more than plain tensors."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise KellyError(f"{path}: {size} bytes, expected at most {MAX_BYTES}; it is no checkpoint of these networks")
    try:
        # torch.load does not look at the checksums, and would unpack what is compressed to any size.
        with zipfile.ZipFile(path) as archive:
            packed = [entry.filename for entry in archive.infolist() if entry.compress_type != zipfile.ZIP_STORED]
            damaged = None if packed else archive.testzip()
        if packed or damaged:
            raise ValueError(f"{damaged} does not match its checksum" if damaged else f"{packed[0]} is compressed")
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of a foreign or broken file anything may come out
        reason = type(error).__name__ + (f": {error}" if type(error) is ValueError else "")
        raise KellyError(
            f"{path} is not a whole checkpoint of plain tensors ({reason}); delete it and train again"
        ) from None


def form(tensor: Tensor) -> str:
    """What must agree before numbers are copied from one tensor to another, where they are no ordinary ones in full."""
    unusual = f" {tensor.layout} on {tensor.device}" if tensor.layout != torch.strided or tensor.is_meta else ""
    return f"{tuple(tensor.shape)} {tensor.dtype}{unusual}"


def load_weights(network: nn.Module, weights: Weights, path: Path | str) -> None:
    """Give `network` the `weights` read from `path`. Raises KellyError listing what differs."""
    both = (network.state_dict(), weights)
    own, theirs = ({name: form(weight) for name, weight in held.items()} for held in both)
    if own != theirs:
        names = sorted(name for name in own.keys() | theirs.keys() if own.get(name) != theirs.get(name))
        lines = "\n".join(
            f"  {n}: checkpoint {theirs.get(n, 'none')}, network {own.get(n, 'none')}" for n in names[:20]
        )
        raise KellyError(f"{path} holds another network than {type(network).__name__}:\n{lines}\nTrain it again.")
    network.load_state_dict(weights)
