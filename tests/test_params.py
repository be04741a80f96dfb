"""Settings: all mistakes at once, each with what was found and what was expected."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from kelly import params
from kelly.errors import KellyError
from kelly.params import PARAMS_FILE
from kelly.tasks import TASKS


@pytest.fixture
def content(project: Path) -> dict[str, Any]:
    """The project's own params.yaml."""
    return params.read_yaml(project / PARAMS_FILE)


def load(folder: Path, content: Any) -> dict[str, params.Settings]:
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return params.load(path)


def mistakes(folder: Path, content: Any) -> str:
    with pytest.raises(KellyError) as error:
        load(folder, content)
    return str(error.value)


def test_the_projects_own_file_is_valid_and_holds_the_documented_defaults(project: Path) -> None:
    known = params.load(project / PARAMS_FILE)
    assert list(known) == list(TASKS)
    training = known["emotionrecognizer"].training
    assert (training.epochs, training.batch_size, training.learning_rate) == (50, 64, 0.001)
    assert (training.early_stopping_patience, training.early_stopping_min_delta) == (10, 0.001)
    assert known["emotionrecognizer"].splitting.validation_split == 0.2
    assert training.device == "cpu"


def test_a_networks_own_value_wins_over_the_shared_one(tmp_path: Path, content: dict[str, Any]) -> None:
    content["models"]["groovepredictor"]["epochs"] = 300
    known = load(tmp_path, content)
    assert known["groovepredictor"].training.epochs == 300
    assert known["emotionrecognizer"].training.epochs == 50


def test_a_command_lines_value_wins_over_both(tmp_path: Path, content: dict[str, Any]) -> None:
    content["models"]["groovepredictor"]["epochs"] = 300
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    assert {s.training.epochs for s in params.load(path, {"epochs": 7}).values()} == {7}


def test_all_mistakes_are_told_in_one_message(tmp_path: Path, content: dict[str, Any]) -> None:
    content["epoch"] = content.pop("epochs")
    content["batch_size"] = "many"
    content["learning_rate"] = -1
    content["seed"] = True
    content["early_stopping_min_delta"] = float("nan")
    content["models"]["melodytransformer"]["learningrate"] = 0.1
    content["models"]["harmonypredictor"]["data"]["source"] = "corpse"
    del content["models"]["groovepredictor"]["epochs"]
    message = mistakes(tmp_path, content)
    for line in (
        "has 9 mistake(s), nothing was started",
        "epoch: unknown key; did you mean 'epochs'?",
        "epochs: missing",
        "batch_size: found 'many', expected a whole number",
        "learning_rate: found -1, expected greater than 0",
        "seed: found True, expected a whole number",
        "early_stopping_min_delta: found nan, expected a finite number",
        "models.melodytransformer.learningrate: unknown key; did you mean 'learning_rate'?",
        "models.harmonypredictor.data.source: found 'corpse', expected 'corpus' or 'synthetic'",
        "models.groovepredictor.epochs: missing; add it (null: as shared)",
    ):
        assert line in message


@pytest.mark.parametrize("key", ["validation_split", "test_split"])
@pytest.mark.parametrize("value", [0, 1, -0.1, 1.5, "x", None])
def test_a_split_must_leave_something_on_both_sides(
    tmp_path: Path, content: dict[str, Any], key: str, value: object
) -> None:
    content[key] = value
    assert f"{key}: found {value!r}, expected" in mistakes(tmp_path, content)


def test_an_unknown_network_is_refused(tmp_path: Path, content: dict[str, Any]) -> None:
    content["models"]["groovpredictor"] = content["models"].pop("groovepredictor")
    assert "models.groovpredictor: unknown key; did you mean 'groovepredictor'?" in mistakes(tmp_path, content)


@pytest.mark.parametrize(("written", "value"), [("1e-05", 1e-5), ("1e-3", 1e-3), ("2.5E-4", 2.5e-4), (".5", 0.5)])
def test_numbers_with_an_exponent_are_numbers(project: Path, tmp_path: Path, written: str, value: float) -> None:
    text = (project / PARAMS_FILE).read_text().replace("learning_rate: 0.001", f"learning_rate: {written}")
    (tmp_path / "params.yaml").write_text(text)
    assert params.load(tmp_path / "params.yaml")["groovepredictor"].training.learning_rate == value


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (b"", "holds nothing"),
        (b"- a\n- b\n", "holds a list"),
        (b"epochs: [1,\n", "cannot be read as YAML"),
        (b"epochs: \xff\xfe\n", "cannot be read as YAML in UTF-8"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, written: bytes, message: str) -> None:
    (tmp_path / "params.yaml").write_bytes(written)
    with pytest.raises(KellyError, match=message):
        params.load(tmp_path / "params.yaml")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KellyError, match=r"params\.yaml is missing"):
        params.load(tmp_path / "params.yaml")
