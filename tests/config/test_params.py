"""params.yaml: all mistakes are reported at once, each with what was found and what was expected."""

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly.config import params
from kelly.config.params import PARAMS_FILE
from kelly.config.sources import source_names
from kelly.config.yaml_file import read_yaml
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS


@pytest.fixture
def content(project: Path) -> dict[str, Any]:
    """The project's own params.yaml."""
    return read_yaml(project / PARAMS_FILE)


def load(content: Any, **overrides: Any) -> dict[str, params.TaskConfig]:
    with patch.object(params, "read_yaml", return_value=copy.deepcopy(content)):
        return params.load(overrides=overrides)


def mistakes(content: Any) -> str:
    with pytest.raises(KellyError) as error:
        load(content)
    return str(error.value)


def test_the_projects_own_file_is_valid_and_has_the_documented_defaults(project: Path) -> None:
    configs = params.load(project / PARAMS_FILE)
    assert list(configs) == list(TASKS)
    training = configs["emotionrecognizer"].training
    assert (training.epochs, training.batch_size, training.learning_rate) == (50, 64, 0.001)
    assert (training.early_stopping_patience, training.early_stopping_min_delta) == (10, 0.001)
    assert configs["emotionrecognizer"].splitting.validation_split == 0.2
    assert training.device == "cpu"


def test_a_network_overrides_the_shared_value_and_an_option_of_a_command_line_both(content: dict[str, Any]) -> None:
    content["models"]["groovepredictor"]["epochs"] = 300
    configs = load(content)
    assert configs["groovepredictor"].training.epochs == 300
    assert configs["emotionrecognizer"].training.epochs == 50
    assert {config.training.epochs for config in load(content, epochs=7).values()} == {7}


def test_a_training_seed_leaves_data_and_splits_as_they_are(content: dict[str, Any]) -> None:
    before = load(content)["groovepredictor"]
    content["training_seed"] = 7
    after = load(content)["groovepredictor"]
    assert (before.training.seed, after.training.seed) == (42, 7)
    assert (before.splitting, before.data) == (after.splitting, after.data)


def test_a_warm_up_longer_than_training_is_refused_before_anything_starts(content: dict[str, Any]) -> None:
    content["models"]["groovepredictor"]["warmup_epochs"] = 50
    content["models"]["dynamicsengine"] |= {"warmup_epochs": 7, "epochs": 5}
    message = mistakes(content)
    assert "has 2 mistake(s)" in message
    assert "groovepredictor: warmup_epochs is 50, expected fewer" in message
    assert "dynamicsengine: warmup_epochs is 7, expected fewer" in message


def test_all_mistakes_are_reported_at_once(content: dict[str, Any]) -> None:
    content["epoch"] = content.pop("epochs")
    content["batch_size"] = "many"
    content["learning_rate"] = -1
    content["seed"] = True
    content["early_stopping_min_delta"] = float("nan")
    content["models"]["melodytransformer"]["learningrate"] = 0.1
    content["models"]["harmonypredictor"]["data"]["source"] = "corpse"
    del content["models"]["groovepredictor"]["data"]["source"]
    content["models"]["dynamicsengin"] = content["models"].pop("dynamicsengine")
    message = mistakes(content)
    for line in (
        "has 11 mistake(s)",
        "epoch: unknown key; did you mean 'epochs'?",
        "epochs: missing",
        "batch_size: found 'many', expected a whole number",
        "learning_rate: found -1, expected greater than 0",
        "seed: found True, expected a whole number",
        "early_stopping_min_delta: found nan, expected a finite number",
        "models.melodytransformer.learningrate: unknown key; did you mean 'learning_rate'?",
        "models.harmonypredictor.data.source: found 'corpse', expected 'corpus', 'synthetic', 'midi', 'lakh', "
        "'pop909' or 'vgmidi'",
        "models.groovepredictor.data.source: missing; add it",
        "models.dynamicsengin: unknown key; did you mean 'dynamicsengine'?",
    ):
        assert line in message


@pytest.mark.parametrize("key", ["validation_split", "test_split"])
@pytest.mark.parametrize("value", [0, 1, -0.1, 1.5, "x", None])
def test_a_split_share_is_between_0_and_1(content: dict[str, Any], key: str, value: object) -> None:
    content[key] = value
    assert f"{key}: found {value!r}, expected" in mistakes(content)


CONTENT = read_yaml(Path(__file__).parents[2] / PARAMS_FILE)
STRANGE: list[Any] = [
    None, True, -1, 0, 1.0, 0.5, 10**30, 1e308, math.nan, -math.inf, "", "cpu", "nan", [], [[]], {}, {"a": 1},
]  # fmt: skip


def key_paths(value: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key within nested mappings."""
    for key in value if isinstance(value, dict) else ():
        yield (*at, key)
        yield from key_paths(value[key], (*at, key))


@settings(max_examples=300, derandomize=True, deadline=None)
@given(
    st.sampled_from(sorted(p for p in key_paths(CONTENT) if p[0] not in ("search", "as_shared"))),
    st.sampled_from(["replace", "remove", "rename"]),
    st.sampled_from(STRANGE),
)
def test_any_mistake_names_its_key_and_nothing_else(place: tuple[str, ...], how: str, strange: Any) -> None:
    content = copy.deepcopy(CONTENT)
    *parents, key = place
    part = content
    for parent in parents:
        part = part[parent]
    if how == "replace":
        part[key] = strange
    else:
        value = part.pop(key)
        if how == "rename":
            part[key + "x"] = value
    try:
        configs = load(content)
    except KellyError as error:
        keys = [line.strip().partition(":")[0] for line in str(error).splitlines()[1:]]
        dotted = ".".join(place)
        assert dotted in keys if how == "remove" else any(key.startswith(dotted) for key in keys)
        assert all(key.startswith(dotted) for key in keys)
    else:
        assert how == "replace" or (how == "remove" and place[0] == "models")  # what has a default
        assert list(configs) == list(TASKS)


@pytest.mark.parametrize("value", [0, -2, 1025, 1.0, None])
def test_a_number_of_workers_is_one_or_more_or_minus_one(content: dict[str, Any], value: Any) -> None:
    content["extraction"]["num_workers"] = value
    message = mistakes(content)
    assert "has 1 mistake(s)" in message
    assert f"extraction.num_workers: found {value!r}, expected " in message


@pytest.mark.parametrize(
    ("model", "source", "reason"),
    [
        ("melodytransformer", "maestro", "has no bars, and has no ratings of emotion; it serves DynamicsEngine. "),
        ("groovepredictor", "deam", "which contains audio and ratings, without notes; it serves EmotionRecognizer. "),
        ("dynamicsengine", "corpus", "'corpus'; it serves MelodyTransformer, HarmonyPredictor. DynamicsEngine learns"),
    ],
)
def test_the_message_for_an_unsupported_source_has_the_reason_and_the_supported_ones(
    content: dict[str, Any], model: str, source: str, reason: str
) -> None:
    content["models"][model]["data"]["source"] = source
    (line,) = mistakes(content).splitlines()[1:]
    assert line.startswith(f"  models.{model}.data.source: ")
    assert reason in line
    assert line.endswith(", ".join(source_names(model)))


def test_a_setting_that_is_left_out_has_its_default(content: dict[str, Any]) -> None:
    assert "midi" not in content["models"]["dynamicsengine"]["data"]
    content["models"]["dynamicsengine"]["data"] |= {"source": "midi", "midi": {"augmentation": {"copies": 2}}}
    data = load(content)["dynamicsengine"].data
    assert (data["path"], data["max_skipped_share"]) == ("data/raw/midi", 0.5)
    assert data["augmentation"] == {"copies": 2, "velocity": 0.2, "tempo": 0.1}


def test_every_network_has_every_key_that_it_may_override(content: dict[str, Any]) -> None:
    for model in content["models"].values():
        assert params.Overrides.model_fields.keys() <= model.keys()
