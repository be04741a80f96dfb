"""Train one network: `python -m stages.train emotionrecognizer` → trained_models/{checkpoints,history,plots}/.

A run that was killed goes on where it was, if its settings and data are still the same.
"""

from pathlib import Path

from kelly.console import run
from kelly.prepared import DATA, load_parts
from kelly.training.runs import train_model
from stages.arguments import settings


def main() -> None:
    """Write checkpoints, history and plots of one network."""
    s = settings()
    parts, about = load_parts(s, DATA)
    train_model(s.task, s.training, parts, about, Path("trained_models"), resume="unfinished")


if __name__ == "__main__":
    run(main)
