"""Checkpoints: `{model}_latest.pt` after every epoch and `{model}_best.pt`, written whole or not at all.

They hold tensors, numbers, strings, lists and dicts only, so that `torch.load(weights_only=True)` reads them: a file
that would run code is refused.
"""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kelly.atomic import replacing
from kelly.errors import KellyError

VERSION = 1


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
        self._save(self.latest_path(model), {"version": VERSION, "model": model, **state})

    def save_best(self, model: str, state: dict[str, Any]) -> None:
        """Write the best epoch's weights and what they are."""
        self._save(self.best_path(model), {"version": VERSION, "model": model, **state})

    def load_latest(self, model: str) -> dict[str, Any]:
        """Read the state after the last epoch. Raises KellyError where there is none or it is not this model's."""
        return self._load(self.latest_path(model), model)

    def load_best(self, model: str) -> dict[str, Any]:
        """Read the best epoch. Raises KellyError where there is none or it is not this model's."""
        return self._load(self.best_path(model), model)

    @staticmethod
    def _save(path: Path, state: dict[str, Any]) -> None:
        # Through memory: torch.save names the archive after the file, and a temporary name would change the bytes.
        buffer = io.BytesIO()
        torch.save(state, buffer)
        with replacing(path) as temporary:
            temporary.write_bytes(buffer.getvalue())

    @staticmethod
    def _load(path: Path, model: str) -> dict[str, Any]:
        if not path.is_file():
            there = sorted(p.name for p in path.parent.glob("*.pt")) if path.parent.is_dir() else []
            found = f"it holds {', '.join(there)}" if there else "it holds no checkpoints"
            raise KellyError(f"{path} is missing ({path.parent}: {found}); train {model} first or check the folder")
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, pickle.UnpicklingError, zipfile.BadZipFile, EOFError, ValueError, KeyError) as error:
            reason = type(error).__name__
            raise KellyError(
                f"{path} is not a checkpoint of plain tensors ({reason}); delete it and train again"
            ) from None
        if not isinstance(state, dict) or state.get("version") != VERSION:
            version = state.get("version") if isinstance(state, dict) else type(state).__name__
            raise KellyError(f"{path} has version {version!r}, expected {VERSION}; delete it and train again")
        if state.get("model") != model:
            raise KellyError(
                f"{path} is a checkpoint of {state.get('model')!r}, expected {model!r}; restore the right one"
            )
        return state


def load_weights(network: nn.Module, weights: dict[str, torch.Tensor], path: Path) -> None:
    """Give `network` the `weights` read from `path`. Raises KellyError where names or shapes differ, listing them."""
    own = {name: tuple(weight.shape) for name, weight in network.state_dict().items()}
    theirs = {name: tuple(weight.shape) for name, weight in weights.items()}
    if own != theirs:
        names = sorted(name for name in own.keys() | theirs.keys() if own.get(name) != theirs.get(name))
        lines = "\n".join(f"  {n}: checkpoint {theirs.get(n, 'none')}, network {own.get(n, 'none')}" for n in names)
        raise KellyError(f"{path} holds another network than {type(network).__name__}:\n{lines}\nTrain it again.")
    network.load_state_dict(weights)
