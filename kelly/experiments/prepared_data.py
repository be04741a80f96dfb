"""Whether the prepared data is what params.yaml describes: DVC sees to it for its stages, and for them alone."""

import numpy as np

from kelly.prepared import splits
from kelly.prepared.loading import DATA, datasets_folder, splits_folder
from kelly.prepared.sequences import Dataset, read_about
from kelly.safety.errors import KellyError
from kelly.settings.params import Settings


def check_prepared(settings: Settings) -> None:
    """Raise KellyError where a network's data, or its division, was made with other settings, or not at all."""
    task, s = settings.task, settings.splitting
    folder = datasets_folder(DATA, task.name)
    about, dataset = read_about(folder), Dataset.load(folder)
    own = splits.load(splits_folder(DATA, task.name))
    remedy = f"bring it up to date: dvc repro split@{task.name}"
    if (about["source"], about["settings"]) != (settings.source, dict(settings.data)):
        raise KellyError(f"the data of {task.title} was made with other settings than params.yaml has now; {remedy}")
    expected = splits.split(dataset, s.seed, s.validation_split, s.test_split)
    if not all(np.array_equal(own[side], expected[side]) for side in splits.SIDES):
        raise KellyError(f"the data of {task.title} was divided otherwise than params.yaml says now; {remedy}")
