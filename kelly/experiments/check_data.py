"""Whether the prepared data is what params.yaml describes: DVC sees to it for its stages, and for them alone."""

import numpy as np

from kelly.config.params import TaskConfig
from kelly.data import splits
from kelly.data.dataset import Dataset, read_metadata
from kelly.data.loading import DATA, datasets_folder, splits_folder
from kelly.runtime.errors import KellyError


def check_prepared(settings: TaskConfig) -> None:
    """Raise KellyError where a network's data, or its division, was made with other settings, or not at all."""
    task, s = settings.task, settings.splitting
    folder = datasets_folder(DATA, task.name)
    about, dataset = read_metadata(folder), Dataset.load(folder)
    own = splits.load_indices(splits_folder(DATA, task.name))
    remedy = f"bring it up to date: dvc repro split@{task.name}"
    if (about["source"], about["settings"]) != (settings.source, dict(settings.data)):
        raise KellyError(f"the data of {task.title} was made with other settings than params.yaml has now; {remedy}")
    expected = splits.split_dataset(dataset, s.seed, s.validation_split, s.test_split)
    if not all(np.array_equal(own[side], expected[side]) for side in splits.SPLITS):
        raise KellyError(f"the data of {task.title} was divided otherwise than params.yaml says now; {remedy}")
