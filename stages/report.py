"""Put the results of all networks in one table: `python -m stages.report` → metrics/report.md, registry.json."""

from kelly.console import run
from kelly.datasets.sequences import read_about
from kelly.prepared import DATA, datasets_folder
from kelly.registry import write_registry
from kelly.report import write_report
from stages.frame import METRICS, TRAINED


def main() -> None:
    """Write trained_models/registry.json and metrics/report.md."""
    models = write_registry(TRAINED)
    write_report(METRICS, {name: read_about(datasets_folder(DATA, name)) for name in models})


if __name__ == "__main__":
    run(main)
