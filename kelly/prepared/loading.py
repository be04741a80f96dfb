"""Prepared data on disk, `{root}/datasets/{model}` and `{root}/splits/{model}`, as the sides that a network sees."""

from pathlib import Path
from typing import Any

from kelly.prepared import splits
from kelly.prepared.sequences import Dataset, Sequences, read_about
from kelly.safety.errors import KellyError
from kelly.settings.params import Settings, Splitting

DATA = Path("data")


def datasets_folder(root: Path, model: str) -> Path:
    """Where the sequences of one network lie."""
    return root / "datasets" / model


def splits_folder(root: Path, model: str) -> Path:
    """Where the rows of each side lie."""
    return root / "splits" / model


def load_sides(settings: Settings, root: Path) -> tuple[dict[str, splits.Side], dict[str, Any]]:
    """The sides 'train', 'validation' and 'test' of one network's data, not read yet, and what identifies them.

    They hold what is trained on, and nothing of what scores are compared with. Raises KellyError where the data set was
    made anew since it was divided.
    """
    folder, rows = _folder_and_rows(settings, root)
    whole = Dataset.load(folder).sequences
    data = Dataset(Sequences(whole.inputs, whole.targets, whole.groups, whole.mask))
    sides = splits.sides(data, rows, settings.splitting.shuffle_seed)
    return sides, identified(folder, rows, settings.splitting)


def load_parts(settings: Settings, root: Path) -> dict[str, Sequences]:
    """The sides 'train', 'validation', 'test' and 'stream' of one network's data, read; raises as `load_sides`."""
    return divided(*_folder_and_rows(settings, root), settings.splitting)


def divided(folder: Path, rows: dict[str, splits.Rows], splitting: Splitting) -> dict[str, Sequences]:
    """The data set in `folder` as sides, divided by `rows`."""
    return splits.divide(Dataset.load(folder), rows, splitting.shuffle_seed)


def _folder_and_rows(settings: Settings, root: Path) -> tuple[Path, dict[str, splits.Rows]]:
    name = settings.task.name
    folder, rows = datasets_folder(root, name), splits.load(splits_folder(root, name))
    last, number = max(int(side.max(initial=-1)) for side in rows.values()), len(Dataset.load(folder).sequences)
    if last >= number:
        raise KellyError(f"{splits_folder(root, name)} divides at least {last + 1:,} sequences, but {folder} has "
                         f"{number:,}: it was made anew; divide it again: dvc repro split@{name}")  # fmt: skip
    return folder, rows


def identified(folder: Path, rows: dict[str, splits.Rows], splitting: Splitting) -> dict[str, Any]:
    """What the sides are told by: source, settings, hash, how they were divided, and their sizes."""
    about = {key: value for key, value in read_about(folder).items() if key not in ("model", "facts")}
    counts = {f"num_{side}": len(rows[side]) for side in splits.SIDES}
    return about | {"splitting": splitting.model_dump()} | counts
