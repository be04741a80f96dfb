"""Divide one network's data by piece: `python -m stages.split emotionrecognizer` → data/splits/."""

from kelly.config.params import TaskConfig
from kelly.data import splits
from kelly.data.dataset import Dataset
from kelly.data.loading import DATA, datasets_folder, splits_folder
from stages.common import run


def main(s: TaskConfig) -> None:
    """Write data/splits/{model}/{train,validation,test}.npy."""
    dataset = Dataset.load(datasets_folder(DATA, s.task.name))
    rows = splits.split_dataset(dataset, s.splitting.seed, s.splitting.validation_split, s.splitting.test_split)
    splits.save_indices(splits_folder(DATA, s.task.name), rows)
    print(f"{s.task.title}: " + ", ".join(f"{len(chosen)} {side}" for side, chosen in rows.items()))


if __name__ == "__main__":
    run(main)
