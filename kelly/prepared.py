"""Prepared data on disk, `{root}/datasets/{model}` and `{root}/splits/{model}`, as the sides that a network sees."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from kelly import splits
from kelly.datasets.sequences import Dataset, Sequences, read_about
from kelly.params import Settings, Splitting

DATA = Path("data")


def datasets_folder(root: Path, model: str) -> Path:
    """Where the sequences of one network lie."""
    return root / "datasets" / model


def splits_folder(root: Path, model: str) -> Path:
    """Where the rows of each side lie."""
    return root / "splits" / model


def load_parts(settings: Settings, root: Path) -> tuple[dict[str, Sequences], dict[str, Any]]:
    """The sides 'train', 'validation', 'test' and 'stream' of one network's data, and what identifies them."""
    name = settings.task.name
    folder = datasets_folder(root, name)
    rows = splits.load(splits_folder(root, name))
    return divided(folder, rows, settings.splitting)


def divided(
    folder: Path, rows: dict[str, splits.Rows], splitting: Splitting
) -> tuple[dict[str, Sequences], dict[str, Any]]:
    """The data set in `folder` as sides, divided by `rows`, and what identifies them."""
    parts = splits.divide(Dataset.load(folder), rows, splitting.seed if splitting.shuffle_inputs else None)
    about = {key: value for key, value in read_about(folder).items() if key not in ("model", "facts")}
    counts = {f"num_{side}": len(parts[side]) for side in splits.SIDES}
    return parts, about | {"splitting": asdict(splitting)} | counts
