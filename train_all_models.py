"""Train the five networks and export them for RTNeural: `python train_all_models.py --help`."""

from pathlib import Path

from kelly.runtime.console import run


def main() -> None:
    """Run the command line; its defaults come from the params.yaml beside it."""
    from kelly.commands import train_all  # here, so that Ctrl-C is answered while PyTorch is being imported as well

    train_all.main(Path(__file__).with_name("params.yaml"))


if __name__ == "__main__":
    run(main, interrupted="add --resume all to go on from there")
