"""Put the results of all networks in one table: `python -m stages.report` → metrics/report.md, registry.json."""

from pathlib import Path

from kelly.console import run
from kelly.datasets.sequences import read_about
from kelly.prepared import DATA, datasets_folder
from kelly.registry import write_registry
from kelly.report import write_report


def main() -> None:
    """Write trained_models/registry.json and metrics/report.md."""
    models = write_registry(Path("trained_models"))
    write_report(Path("metrics"), {name: read_about(datasets_folder(DATA, name)) for name in models})


if __name__ == "__main__":
    run(main)
