"""Train the five networks and export them for RTNeural: `python train_all_models.py --help`."""

from functools import partial
from pathlib import Path

from kelly.console import run
from kelly.train_all import main

if __name__ == "__main__":
    run(partial(main, Path(__file__).with_name("params.yaml")), interrupted="add --resume MODEL to go on from there")
