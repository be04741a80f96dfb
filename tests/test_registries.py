"""Every registry has a row for every task, and the tasks are those of the pipeline."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from kelly import networks
from kelly.config.sources import DATA_CONFIGS, UNSUPPORTED, source_names
from kelly.config.yaml_file import read_yaml
from kelly.evaluation.baselines import TASK_BASELINES
from kelly.evaluation.metrics import METRICS
from kelly.export.contract import CONTRACTS
from kelly.plots.predictions import PLOTS
from kelly.sources.layouts import LAYOUTS
from kelly.sources.registry import SOURCES
from kelly.sources.source import GeneratedSource
from kelly.tasks import TASKS
from kelly.training.objectives import LOSSES
from kelly.training.objectives import METRICS as HISTORY_METRICS


@pytest.mark.parametrize("registry", [DATA_CONFIGS, SOURCES, CONTRACTS, METRICS, PLOTS], ids=range(5))
def test_every_registry_covers_every_task(registry: Mapping[str, Any]) -> None:
    assert list(registry) == list(TASKS)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_class_a_loss_and_a_metric(name: str) -> None:
    task = TASKS[name]
    assert getattr(networks, task.title)().task is task
    assert task.loss in LOSSES
    assert task.metric in HISTORY_METRICS


def test_task_baselines_belong_to_tasks() -> None:
    assert TASK_BASELINES.keys() <= TASKS.keys()


@pytest.mark.parametrize("name", TASKS)
def test_the_sources_of_a_network_are_those_that_can_be_configured(name: str) -> None:
    assert set(SOURCES[name]) == set(source_names(name))
    folders = {source for source, kind in SOURCES[name].items() if not isinstance(kind, GeneratedSource)}
    assert folders <= LAYOUTS.keys()


def test_every_published_layout_has_a_reason_for_what_it_does_not_serve() -> None:
    assert UNSUPPORTED.keys() == LAYOUTS.keys() - {"midi"}


def test_the_networks_of_the_pipeline_are_the_tasks(project: Path) -> None:
    assert yaml.safe_load((project / "dvc.yaml").read_text())["vars"] == [{"networks": list(TASKS)}]
    assert list(read_yaml(project / "params.yaml")["models"]) == list(TASKS)
    assert {path.stem for path in (project / "kelly/tasks").glob("*.py")} == {*TASKS, "__init__", "layers", "task"}
