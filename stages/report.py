"""Put the results of all networks in one table: `python -m stages.report` → metrics/report.md, registry.json."""

from pathlib import Path

from kelly.console import run
from kelly.registry import write_registry
from kelly.report import write_report


def main() -> None:
    """Write trained_models/registry.json and metrics/report.md."""
    models = write_registry(Path("trained_models"))
    write_report(Path("metrics"), {name: about["data"]["source"] for name, about in models.items()})


if __name__ == "__main__":
    run(main)
