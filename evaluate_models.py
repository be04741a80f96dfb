"""Score the best checkpoints of the five networks: `python evaluate_models.py --help`."""

from kelly.runtime.console import run


def main() -> None:
    """Run the command line."""
    from kelly.commands import evaluate_all  # here, so that Ctrl-C is answered while PyTorch is being imported as well

    evaluate_all.main()


if __name__ == "__main__":
    run(main)
