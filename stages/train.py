"""Train one network: `python -m stages.train emotionrecognizer` → trained_models/{checkpoints,history}/.

A run that was killed goes on where it was, if its settings and data are still the same. Several processes train one
network together: `torchrun --nproc-per-node=2 -m stages.train emotionrecognizer`.
"""

from kelly.prepared.loading import DATA, load_sides
from kelly.safety.console import run
from kelly.training.processes import joined
from kelly.training.runs import train_model
from stages.frame import TRAINED, claimed


def main() -> None:
    """Write checkpoints and history of one network."""
    with joined() as together, claimed(together.is_first) as s:
        sides, about = load_sides(s, DATA)
        train_model(s.task, s.training, sides, about, TRAINED, resume="unfinished", together=together)
        if together.size > 1:
            print(f"DVC does not know of this, and would train again: dvc commit --force train@{s.task.name}")


if __name__ == "__main__":
    run(main, several=True)
