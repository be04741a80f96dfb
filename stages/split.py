"""Split one network's data by piece: `python -m stages.split emotionrecognizer` → data/splits/."""

from kelly.config.params import TaskConfig
from kelly.data.loading import DATA, split_data
from stages.common import run


def main(config: TaskConfig) -> None:
    """Write data/splits/{model}/{train,validation,test}.npy."""
    indices = split_data(config, DATA)
    print(f"{config.task.title}: " + ", ".join(f"{len(rows)} {split}" for split, rows in indices.items()))


if __name__ == "__main__":
    run("split", main)
