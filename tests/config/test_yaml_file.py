"""YAML files are read as DVC reads them, and a broken or hostile one is one message."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from kelly.config import params
from kelly.config.params import PARAMS_FILE
from kelly.config.yaml_file import parse_yaml, read_yaml
from kelly.runtime.errors import KellyError

SCALARS = (
    "1e-3", "1e-05", "2.5E-4", ".5", "5.", "-.inf", "+1.5", "010", "0o10", "0x1F", "-7", "+7", "1_000", "on", "yes",
    "No", "true", "False", "TRUE", "~", "null", "Null", "", "2021-01-01x", "12:30:45", "abc", "1.2.3", "e5", ".", "-",
    "1_000.5",
)  # fmt: skip


@pytest.mark.parametrize("text", SCALARS)
def test_a_scalar_is_what_dvc_reads(text: str) -> None:
    document = f"key: {text}\nlist: [1, {text or 0}]\n"
    try:
        expected: Any = YAML(typ="safe", pure=True).load(document)
    except Exception:
        with pytest.raises((yaml.YAMLError, ValueError)):
            parse_yaml(document)
        return
    parsed = parse_yaml(document)
    assert parsed == expected
    assert [type(value) for value in parsed["list"]] == [type(value) for value in expected["list"]]


def test_the_projects_settings_are_what_dvc_reads(project: Path) -> None:
    assert read_yaml(project / PARAMS_FILE) == YAML(typ="safe", pure=True).load(project / PARAMS_FILE)


def test_a_merged_key_is_overridden_and_a_duplicate_key_refused() -> None:
    merged = parse_yaml("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\n")
    assert merged["b"] == {"x": 1, "y": 3}
    for text in ("x: 1\nx: 2\n", "a: {x: 1, x: 1}\n", "a: &a {x: 1}\nb:\n  <<: *a\n  y: 1\n  y: 2\n"):
        with pytest.raises(yaml.YAMLError, match="duplicate key"):
            parse_yaml(text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"params\.yaml is missing"),
        (b"", "contains nothing"),
        (b"- a\n- b\n", "contains a list"),
        (b"epochs: [1,\n", "cannot be read as YAML"),
        (b"epochs: \xff\xfe\n", "cannot be read as YAML in UTF-8"),
        (b"epochs: 50\nepochs: 60\n", "found duplicate key 'epochs'"),
        (b"seed: !!python/object/apply:os.system [id]\n", "could not determine a constructor for the tag"),
        (b"[" * 2_000, "nested too deeply"),
    ],
)
def test_a_broken_or_hostile_file_is_one_message(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(KellyError, match=message):
        read_yaml(tmp_path / "params.yaml")


def test_a_value_that_would_expand_to_gigabytes_is_shortened_in_the_message(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    path = tmp_path / "params.yaml"
    path.write_text("\n".join([*lines, "b: &b [1, *b]", "epochs: *a11", "seed: *b"]))
    with pytest.raises(KellyError, match=r"epochs: found \[\[\[\.\.\.\]") as error:
        params.load(path)
    assert len(str(error.value)) < 20_000


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_settings_or_one_message(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        path.write_bytes(content)
        with pytest.raises(KellyError, match=r"params\.yaml"):
            params.load(path)
