"""The search space in params.yaml: what is rejected, what is sampled, and how the best settings are written."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import FloatDistribution, IntDistribution

from kelly.config.params import PARAMS_FILE, TaskConfig, load
from kelly.experiments import search_space
from kelly.experiments.search_results import search, with_value, write_settings
from kelly.runtime.errors import KellyError


@pytest.fixture
def config(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskConfig:
    monkeypatch.chdir(tmp_path)
    PARAMS_FILE.write_text((project / "params.yaml").read_text())
    return load()["groovepredictor"]


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"epochs": {"low": 1, "high": 2}}, "search.epochs: cannot be searched"),
        ({"learning_rate": {"low": 0.1}}, "expected low and high, or choices"),
        ({"learning_rate": {"low": 0.1, "high": 0.01}}, "expected a low that is less than high"),
        ({"learning_rate": {"low": 0, "high": 0.01, "log": True}}, "expected a low above 0"),
        ({"learning_rate": {"low": -1.0, "high": 0.01}}, "found -1.0, expected greater than 0"),
        ({"batch_size": {"choices": [16, 1.5]}}, "found 1.5"),
        ({"learning_rate_schedule": {"choices": ["constant", "linear"]}}, "found 'linear'"),
        ({"learning_rate": 0.1}, "search.learning_rate: found 0.1, expected low and high, or choices"),
        ({"learning_rate": {"low": 0.1, "hihg": 1}}, "unknown key 'hihg'"),
        ({"learning_rate": {"choices": [None]}}, "found None, expected at least one choice"),
        ({"learning_rate": {"choices": []}}, "found [], expected at least one choice"),
        ({"learning_rate": {"low": "a", "high": 1}}, "low is 'a', expected a number"),
        ({"warmup_epochs": {"low": 0, "high": 50}}, "search.warmup_epochs: found 50, expected fewer than epochs, 50"),
        ({}, "is empty"),
    ],
)
def test_an_invalid_space_is_rejected_before_anything_is_written(
    config: TaskConfig, space: dict[str, Any], message: str
) -> None:
    with pytest.raises(KellyError) as error:
        search(replace(config, search=space), 1, Path("experiments"))
    assert message in str(error.value)
    assert not Path("experiments").exists()


def test_integers_are_sampled_as_integers_and_sampled_floats_rounded() -> None:
    spaces = search_space.spaces(
        {"learning_rate": {"low": 0.0001, "high": 0.1}, "batch_size": {"low": 8, "high": 99, "log": True}}, 2
    )
    assert spaces == {"learning_rate": FloatDistribution(0.0001, 0.1), "batch_size": IntDistribution(8, 99, log=True)}
    values = {"learning_rate": 0.00123456, "batch_size": 17}
    assert search_space.rounded(values, spaces, fixed=()) == {"learning_rate": 0.00123, "batch_size": 17}
    assert search_space.rounded(values, spaces, fixed=("learning_rate",)) == values
    choices = search_space.spaces({"learning_rate": {"choices": [0.0012345]}}, 2)
    assert search_space.rounded({"learning_rate": 0.0012345}, choices, fixed=()) == {"learning_rate": 0.0012345}


def test_written_settings_change_no_other_text_and_no_other_network(config: TaskConfig) -> None:
    before, others = PARAMS_FILE.read_text().splitlines(), load()
    values: Mapping[str, Any] = {"learning_rate": 1e-05, "batch_size": 32, "learning_rate_schedule": "cosine"}
    write_settings(PARAMS_FILE, "groovepredictor", values)
    write_settings(PARAMS_FILE, "melodytransformer", {"batch_size": 64})
    after = PARAMS_FILE.read_text().splitlines()
    assert [line for line in after if line not in before] == [
        next(line for line in before if "batch_size: 16" in line).replace("16", "64", 1),
        *(f"    {name}: {value}" for name, value in values.items()),
    ]
    assert len(after) == len(before) + 3
    configs = load()
    assert configs["groovepredictor"].training == search_space.with_values(config, values)
    assert configs["melodytransformer"].training.batch_size == 64
    assert configs["dynamicsengine"] == others["dynamicsengine"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("models: {b: {y: 1}}", "models: {b: {x: 3, y: 1}}"),
        ("models: {b: {x:, y: 1}}", "models: {b: {x: 3, y: 1}}"),
        ("models:\n  b:\n    x: # note\n    y: 1\n", "models:\n  b:\n    x: 3 # note\n    y: 1\n"),
    ],
)
def test_values_are_written_in_any_style_of_yaml(text: str, expected: str) -> None:
    assert with_value(text, "b", "x", 3) == expected


def test_settings_that_would_make_the_file_invalid_are_not_written(config: TaskConfig) -> None:
    before = PARAMS_FILE.read_text()
    with pytest.raises(KellyError, match=r"models\.groovepredictor\.batch_size: found -1"):
        write_settings(PARAMS_FILE, config.task.name, {"batch_size": -1})
    assert PARAMS_FILE.read_text() == before
    assert [path.name for path in Path.cwd().iterdir()] == ["params.yaml"]
