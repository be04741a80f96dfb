"""The effective settings of a network: overrides, shared values and the defaults of its source."""

from pathlib import Path
from typing import Any

import pytest

from kelly.config import params
from kelly.config.effective import Setting, flatten, settings
from kelly.config.yaml_file import read_yaml
from kelly.tasks import TASKS


@pytest.fixture
def content(project: Path) -> dict[str, Any]:
    return read_yaml(project / "params.yaml")


def test_an_override_replaces_the_shared_value(content: dict[str, Any]) -> None:
    effective = settings(content, "melodytransformer")
    assert effective["batch_size"] == Setting("models.melodytransformer.batch_size", 16)
    assert effective["epochs"] == Setting("epochs", 50)


@pytest.mark.parametrize("name", TASKS)
def test_settings_of_the_source_include_defaults_and_no_other_source(
    name: str, project: Path, content: dict[str, Any]
) -> None:
    effective = settings(content, name)
    config = params.load(project / "params.yaml")[name]
    data = {key.removeprefix(f"data.{config.source}."): s.value for key, s in effective.items() if "data." in key}
    assert data.pop("data.source") == config.source
    seed = {"seed": config.data.get("seed")}
    assert data | seed == dict(flatten(config.data)) | seed


def test_nested_defaults_are_completed(content: dict[str, Any]) -> None:
    content["models"]["groovepredictor"]["data"] |= {"source": "groove", "groove": {"augmentation": {"copies": 2}}}
    effective = settings(content, "groovepredictor")
    prefix = "data.groove.augmentation."
    augmentation = {key.removeprefix(prefix): s.value for key, s in effective.items() if key.startswith(prefix)}
    assert augmentation == {"copies": 2, "velocity": 0.2, "tempo": 0.1}
    assert effective["data.groove.path"].value == "data/raw/groove"


def test_what_cannot_affect_results_is_left_out(content: dict[str, Any]) -> None:
    keys = settings(content, "groovepredictor").keys()
    assert not {key.partition(".")[0] for key in keys} & {"models", "search", "extraction", "as_shared"}
