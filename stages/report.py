"""Put the results of all networks on one page: `python -m stages.report` → metrics/report.md, .html, registry.json."""

from kelly.data.dataset import read_metadata
from kelly.data.loading import DATA, datasets_folder
from kelly.export.registry import write_registry
from kelly.report.page import write_page
from kelly.report.table import write_report
from kelly.runtime.console import run
from stages.common import METRICS, TRAINED


def main() -> None:
    """Write trained_models/registry.json, metrics/report.md and metrics/report.html."""
    models = write_registry(TRAINED)
    data = {name: read_metadata(datasets_folder(DATA, name)) for name in models}
    write_report(METRICS, data)
    write_page(METRICS, TRAINED, models, data)


if __name__ == "__main__":
    run(main)
