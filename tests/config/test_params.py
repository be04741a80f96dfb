"""Settings: all mistakes at once, each with what was found and what was expected."""

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly.config import params
from kelly.config.params import PARAMS_FILE
from kelly.config.yaml_file import read_yaml
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS


@pytest.fixture
def content(project: Path) -> dict[str, Any]:
    """The project's own params.yaml."""
    return read_yaml(project / PARAMS_FILE)


def load(folder: Path, content: Any) -> dict[str, params.TaskConfig]:
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


def test_a_seed_of_training_alone_leaves_data_and_split_as_they_are(tmp_path: Path, content: dict[str, Any]) -> None:
    before = load(tmp_path, content)["groovepredictor"]
    content["training_seed"] = 7
    after = load(tmp_path, content)["groovepredictor"]
    assert (before.training.seed, after.training.seed) == (42, 7)
    assert (before.splitting, before.data) == (after.splitting, after.data)


def test_a_warm_up_longer_than_training_is_refused_before_anything_starts(
    tmp_path: Path, content: dict[str, Any]
) -> None:
    content["models"]["groovepredictor"]["warmup_epochs"] = 50
    content["models"]["dynamicsengine"] |= {"warmup_epochs": 7, "epochs": 5}
    told = mistakes(tmp_path, content)
    assert "has 2 mistake(s), nothing was started" in told
    assert "groovepredictor: warmup_epochs is 50, expected fewer than its epochs, 50" in told
    assert "dynamicsengine: warmup_epochs is 7, expected fewer than its epochs, 5" in told


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
        "models.harmonypredictor.data.source: found 'corpse', expected 'corpus', 'synthetic', 'midi', 'lakh', "
        "'pop909' or 'vgmidi'",
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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs: 50\nepochs: 60\n", 'found duplicate key "epochs" with value "60" (original value: "50")'),
        ("seed: !!python/object/apply:os.system [id]\n", "could not determine a constructor for the tag"),
        ("[" * 5_000, "nested too deeply"),
        ("day: 2021-13-45\n", "cannot be read as YAML"),
        ("a: &a [1, *a]\nepochs: *a\n", "epochs: found"),
    ],
)
def test_a_hostile_file_is_one_message(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(KellyError) as error:
        params.load(path)
    assert message in str(error.value)


def test_a_value_that_would_unfold_to_gigabytes_is_told_in_few_words(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    path = tmp_path / "params.yaml"
    path.write_text("\n".join([*lines, "epochs: *a11"]))
    with pytest.raises(KellyError, match=r"epochs: found \[\[\[\.\.\.\]") as error:
        params.load(path)
    assert len(str(error.value)) < 20_000


CONTENT = read_yaml(Path(__file__).parents[2] / PARAMS_FILE)
STRANGE: list[Any] = [
    None,
    True,
    -1,
    0,
    1.0,
    0.5,
    10**30,
    1e308,
    math.nan,
    -math.inf,
    "",
    "cpu",
    "nan",
    [],
    [[]],
    {},
    {"a": 1},
]


def places(value: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key within nested mappings."""
    for key in value if isinstance(value, dict) else ():
        yield (*at, key)
        yield from places(value[key], (*at, key))


@settings(max_examples=300, derandomize=True, deadline=None)
@given(
    st.sampled_from(sorted(p for p in places(CONTENT) if p[0] != "search")),
    st.sampled_from(["replace", "remove", "rename"]),
    st.sampled_from(STRANGE),
)
def test_any_mistake_names_its_key_and_nothing_else(place: tuple[str, ...], how: str, strange: Any) -> None:
    content = copy.deepcopy(CONTENT)
    *parents, key = place
    part = content
    for name in parents:
        part = part[name]
    if how == "replace":
        part[key] = strange
    else:
        value = part.pop(key)
        if how == "rename":
            part[key + "x"] = value
    with TemporaryDirectory() as folder:
        message = ""
        try:
            known = load(Path(folder), content)
        except KellyError as error:
            message = str(error)
    if not message:
        assert how == "replace"
        assert list(known) == list(TASKS)
    else:
        named = [line.strip().partition(":")[0] for line in message.splitlines()[1:]]
        dotted = ".".join(place)
        assert dotted in named if how != "replace" else any(name.startswith(dotted) for name in named)
        assert all(name.startswith(dotted) for name in named)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_settings_or_one_message(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        path.write_bytes(content)
        with pytest.raises(KellyError, match=r"params\.yaml"):
            params.load(path)


@pytest.mark.parametrize("value", [0, -2, 1025, 1.0, None])
def test_a_number_of_workers_is_one_or_more_or_one_a_core(tmp_path: Path, content: dict[str, Any], value: Any) -> None:
    content["extraction"]["num_workers"] = value
    message = mistakes(tmp_path, content)
    assert "has 1 mistake(s)" in message
    assert f"extraction.num_workers: found {value!r}, expected " in message


def test_no_workers_at_all_are_refused_in_words(tmp_path: Path, content: dict[str, Any]) -> None:
    content["extraction"]["num_workers"] = 0
    assert mistakes(tmp_path, content).splitlines()[1:] == [
        "  extraction.num_workers: found 0, expected 1 or more, or -1 for one a core"
    ]


@pytest.mark.parametrize(
    ("model", "source", "line"),
    [
        (
            "melodytransformer",
            "maestro",
            "MelodyTransformer cannot learn from 'maestro', which was played without a click, so that it has no bars, "
            "and nobody rated its emotion; it serves DynamicsEngine. MelodyTransformer learns from corpus, synthetic, "
            "midi, lakh, pop909, vgmidi",
        ),
        (
            "groovepredictor",
            "deam",
            "GroovePredictor cannot learn from 'deam', which holds sound and ratings, without notes; it serves "
            "EmotionRecognizer. GroovePredictor learns from synthetic, midi, groove, lakh",
        ),
        (
            "dynamicsengine",
            "corpus",
            "DynamicsEngine cannot learn from 'corpus'; it serves MelodyTransformer, HarmonyPredictor. DynamicsEngine "
            "learns from synthetic, midi, groove, maestro, lakh, pop909",
        ),
    ],
)
def test_a_source_that_cannot_serve_a_network_says_which_it_serves(
    tmp_path: Path, content: dict[str, Any], model: str, source: str, line: str
) -> None:
    content["models"][model]["data"]["source"] = source
    assert mistakes(tmp_path, content).splitlines()[1:] == [f"  models.{model}.data.source: {line}"]
