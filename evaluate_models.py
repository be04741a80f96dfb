"""Score the best checkpoints of the five networks: `python evaluate_models.py --help`."""

from kelly.console import run
from kelly.evaluate_all import main

if __name__ == "__main__":
    run(main)
