"""Train one network: `python -m stages.train emotionrecognizer` → trained_models/{checkpoints,history}/.

A run that was killed goes on where it was, if its settings and data are still the same. Several processes train one
network process_group: `torchrun --nproc-per-node=2 -m stages.train emotionrecognizer`.
"""

from kelly.data.loading import DATA, open_splits
from kelly.runtime.console import run
from kelly.training.distributed import joined
from kelly.training.train_model import train_model
from stages.common import TRAINED, claimed


def main() -> None:
    """Write checkpoints and history of one network."""
    with joined() as process_group, claimed(process_group.is_main_process) as s:
        sides, about = open_splits(s, DATA)
        train_model(s.task, s.training, sides, about, TRAINED, resume="unfinished", process_group=process_group)
        if process_group.size > 1:
            print(f"DVC does not know of this, and would train again: dvc commit --force train@{s.task.name}")


if __name__ == "__main__":
    run(main, several=True)
