"""Data on disk, `{root}/datasets/{model}` and `{root}/splits/{model}`, as the splits that a network is given."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kelly.config.params import PARAMS_FILE, SplitConfig, TaskConfig
from kelly.data import splits
from kelly.data.dataset import Dataset, Sequences, read_metadata
from kelly.data.splits import Indices, SplitView
from kelly.runtime.errors import KellyError

DATA = Path("data")


def datasets_folder(root: Path, model: str) -> Path:
    """Where the data set of one network is."""
    return root / "datasets" / model


def splits_folder(root: Path, model: str) -> Path:
    """Where the indices of its splits are."""
    return root / "splits" / model


def open_splits(config: TaskConfig, root: Path) -> tuple[dict[str, SplitView], dict[str, Any]]:
    """Views of 'train', 'validation' and 'test' of one network's data, and the fingerprint of that data.

    They contain what is trained on, without what only baselines need. Raises KellyError where the data set was replaced
    since it was split.
    """
    folder, indices = _folder_and_indices(config, root)
    full = Dataset.load(folder).sequences
    dataset = Dataset(Sequences(full.inputs, full.targets, full.groups, full.mask))
    views = splits.view_splits(dataset, indices, config.splitting.shuffle_seed)
    return views, data_fingerprint(folder, indices, config.splitting)


def load_splits(config: TaskConfig, root: Path) -> dict[str, Sequences]:
    """'train', 'validation', 'test' and 'stream' of one network's data, in memory; raises as `open_splits` does."""
    return load_with_indices(*_folder_and_indices(config, root), config.splitting)


def load_with_indices(folder: Path, indices: Mapping[str, Indices], splitting: SplitConfig) -> dict[str, Sequences]:
    """The data set in `folder`, split by `indices`, in memory."""
    return splits.take_splits(Dataset.load(folder), indices, splitting.shuffle_seed)


def split_data(config: TaskConfig, root: Path) -> dict[str, Indices]:
    """Split one network's data set and write the indices; returns them.

    Raises KellyError as `split_dataset` does, and where the data set was made with other settings.
    """
    name, splitting = config.task.name, config.splitting
    folder = datasets_folder(root, name)
    check_settings(config, read_metadata(folder))
    dataset = Dataset.load(folder)
    indices = splits.split_dataset(dataset, splitting.seed, splitting.validation_split, splitting.test_split)
    splits.save_indices(splits_folder(root, name), indices)
    return indices


def check_settings(config: TaskConfig, metadata: Mapping[str, Any]) -> None:
    """Raise KellyError where a data set was made from another source or with other settings than the present ones.

    metadata: of the data set
    """
    if (metadata["source"], metadata["settings"]) != (config.source, dict(config.data)):
        raise KellyError(
            f"the data of {config.task.title} was made from {metadata['source']!r} with {metadata['settings']}, but "
            f"{PARAMS_FILE} says {config.source!r} with {dict(config.data)}; make it again: "
            f"dvc repro -f split@{config.task.name}"
        )


def _folder_and_indices(config: TaskConfig, root: Path) -> tuple[Path, dict[str, Indices]]:
    name = config.task.name
    folder, indices = datasets_folder(root, name), splits.load_indices(splits_folder(root, name))
    last, size = max(int(rows.max(initial=-1)) for rows in indices.values()), len(Dataset.load(folder).sequences)
    if last >= size:
        raise KellyError(f"{splits_folder(root, name)} splits at least {last + 1:,} sequences, but {folder} has "
                         f"{size:,}: it was replaced since; split it again: dvc repro split@{name}")  # fmt: skip
    return folder, indices


def data_fingerprint(folder: Path, indices: Mapping[str, Indices], splitting: SplitConfig) -> dict[str, Any]:
    """What identifies the data of a run: source, settings, hash, how it was split, and the sizes of the splits."""
    metadata = {key: value for key, value in read_metadata(folder).items() if key not in ("model", "facts")}
    counts = {f"num_{split}": len(indices[split]) for split in splits.SPLITS}
    return metadata | {"splitting": splitting.model_dump()} | counts
