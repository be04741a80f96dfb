"""Check that the data on disk matches params.yaml; DVC checks this for its own stages only."""

import numpy as np

from kelly.config.params import TaskConfig
from kelly.data import splits
from kelly.data.dataset import Dataset, read_metadata
from kelly.data.loading import DATA, check_settings, datasets_folder, splits_folder
from kelly.runtime.errors import KellyError


def check_up_to_date(config: TaskConfig) -> None:
    """Raise KellyError where a network's data or splits are missing or were made with other settings."""
    task, s = config.task, config.splitting
    folder = datasets_folder(DATA, task.name)
    metadata, dataset = read_metadata(folder), Dataset.load(folder)
    indices = splits.load_indices(splits_folder(DATA, task.name))
    check_settings(config, metadata)
    expected = splits.split_dataset(dataset, s.seed, s.validation_split, s.test_split)
    if not all(np.array_equal(indices[split], expected[split]) for split in splits.SPLITS):
        raise KellyError(f"the splits of {task.title} were made with other settings than those in params.yaml; update "
                         f"them: dvc repro split@{task.name}")  # fmt: skip
