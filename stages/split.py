"""Divide one network's data by piece: `python -m stages.split emotionrecognizer` → data/splits/."""

from kelly.prepared import splits
from kelly.prepared.loading import DATA, datasets_folder, splits_folder
from kelly.prepared.sequences import Dataset
from kelly.settings.params import Settings
from stages.frame import run


def main(s: Settings) -> None:
    """Write data/splits/{model}/{train,validation,test}.npy."""
    dataset = Dataset.load(datasets_folder(DATA, s.task.name))
    rows = splits.split(dataset, s.splitting.seed, s.splitting.validation_split, s.splitting.test_split)
    splits.save(splits_folder(DATA, s.task.name), rows)
    print(f"{s.task.title}: " + ", ".join(f"{len(chosen)} {side}" for side, chosen in rows.items()))


if __name__ == "__main__":
    run(main)
