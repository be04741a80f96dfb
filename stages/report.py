"""Collect the results of all networks: `python -m stages.report` → metrics/report.md, report.html, registry.json."""

import stages
from kelly.config.params import load
from kelly.config.stage_inputs import StageInputs
from kelly.data.dataset import read_metadata
from kelly.data.loading import DATA, datasets_folder
from kelly.evaluation.results import read_metrics
from kelly.export.registry import write_registry
from kelly.export.up_to_date import outdated
from kelly.report.model_results import collect_results
from kelly.report.page import write_page
from kelly.report.table import write_report
from kelly.runtime.console import run
from kelly.tasks import TASKS
from stages.common import METRICS, TRAINED


def main() -> None:
    """Write trained_models/registry.json, metrics/report.md and metrics/report.html."""
    inputs = StageInputs(stages.STARTED_WITH, "report")
    scores = {name: read_metrics(METRICS, name) for name in TASKS}
    models = write_registry(TRAINED, scores=scores)
    datasets = {name: read_metadata(datasets_folder(DATA, name)) for name in TASKS}
    differences = outdated(load().values(), TRAINED, DATA)
    results = collect_results(scores, models, datasets, TRAINED / "history", differences)
    write_report(METRICS, results)
    write_page(METRICS, results, TRAINED / "plots")
    inputs.check()
    inputs.write_record()


if __name__ == "__main__":
    run(main)
