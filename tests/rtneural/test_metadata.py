"""The metadata of an export is validated once, and its schema has only what the audition page interprets."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from support.random_networks import export_bytes

from kelly.rtneural.document import MAX_BYTES, MAX_DEPTH, load_json
from kelly.rtneural.metadata import ADAPTER, read_metadata
from kelly.rtneural.reader import parse
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS

# The keywords of JSON Schema that kelly/audition/page/document.js interprets, and those that restrict nothing.
INTERPRETED = {"$ref", "$defs", "anyOf", "type", "minimum", "maximum", "minItems", "maxItems", "items", "required",
               "properties"}  # fmt: skip
WITHOUT_EFFECT = {"title", "description"}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "metadata: found None"),
        ({"data": None}, "metadata.data: found None"),
        ({"data": {"settings": []}}, "metadata.data.settings: found []"),
        ({"emotion": {"valence": ["-1", "1"], "arousal": [-1, 1]}}, "metadata.emotion.valence.0: found '-1'"),
        ({"emotion": None}, "metadata.emotion: found None"),
        ({"emotion": {"valence": [0, 1]}}, "metadata.emotion.arousal"),
        ({"emotion": {"valence": [0, 1], "arousal": [0, 2]}}, "metadata.emotion.arousal.1: found 2"),
        ({"revision": 12345}, "metadata.revision: found 12345"),
        ({"parity_error": "0.5"}, "metadata.parity_error: found '0.5'"),
        ({"seed": True}, "metadata.seed: found True"),
        ({"seed": 0.5}, "metadata.seed: found 0.5"),
        ({"seed": 2**63}, "metadata.seed: found 9223372036854775808"),
        ({"inputs": []}, "metadata.inputs: found []"),
        ({"params": {"epochs": "x" * 10_000}}, "metadata.params.epochs: found 'xxxxxxxxxxxx...xxxxxxxxxxxxx'"),
    ],
)
def test_a_wrong_value_is_an_error_that_names_its_key(metadata: Any, message: str) -> None:
    with pytest.raises(KellyError) as error:
        read_metadata(metadata)
    assert message in str(error.value)


def test_missing_and_unknown_keys_are_kept_as_they_are() -> None:
    for metadata in ({}, {"skill": "0.5", "data": {"source": "synthetic", "more": None}}, {"revision": None}):
        assert read_metadata(metadata) == metadata
    assert type(read_metadata({"seed": 3.0})["seed"]) is int


def test_the_exports_of_this_version_are_valid() -> None:
    for task in TASKS.values():
        assert parse(load_json(export_bytes(task))).metadata["model"] == task.name


def schemas(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    children = [*schema.get("$defs", {}).values(), *schema.get("properties", {}).values(), *schema.get("anyOf", ())]
    for child in [*children, *([schema["items"]] if "items" in schema else [])]:
        yield from schemas(child)


def test_the_page_interprets_every_keyword_of_the_schema() -> None:
    for schema in schemas(ADAPTER.json_schema()):
        assert schema.get("additionalProperties", True) is True
        assert schema.keys() - {"additionalProperties"} <= INTERPRETED | WITHOUT_EFFECT
        assert set(schema) & {"$ref", "anyOf", "type"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b" " * (MAX_BYTES + 1), f"expected at most {MAX_BYTES}"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "nested more deeply"),
        (b"[" * 10_000 + b"]" * 10_000, "is not JSON"),
        (b"\xef\xbb\xbf{}", "is not JSON"),
        ("{}".encode("utf-16"), "is not JSON"),
        (b'["\\ud800"]', "is not JSON"),
        (b"[1e400]", "is not JSON"),
        (b"[1" + b"0" * 400 + b"]", "is not JSON"),
        (b'{"a":1,"\\u0061":2}', "duplicate key 'a'"),
    ],
)
def test_json_that_readers_differ_on_is_rejected(data: bytes, message: str) -> None:
    with pytest.raises(KellyError, match=message):
        load_json(data)


def test_brackets_in_strings_are_no_nesting() -> None:
    text = '"[{\\' * 100
    assert load_json(orjson.dumps([text] * MAX_DEPTH)) == [text] * MAX_DEPTH
