"""Train one network: `python -m stages.train emotionrecognizer` → trained_models/{checkpoints,history,plots}/.

A run that was killed goes on where it was, if its settings and data are still the same.
"""

from kelly.params import Settings
from kelly.prepared import DATA, load_sides
from kelly.training.runs import train_model
from stages.frame import TRAINED, run


def main(s: Settings) -> None:
    """Write checkpoints, history and plots of one network."""
    sides, about = load_sides(s, DATA)
    train_model(s.task, s.training, sides, about, TRAINED, resume="unfinished")


if __name__ == "__main__":
    run(main)
