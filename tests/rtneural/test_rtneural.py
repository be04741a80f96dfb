"""The reader computes what RTNeural computes, and rejects what RTNeural would misread."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from kelly.rtneural import reader as rtneural
from kelly.rtneural.document import MAX_BYTES
from kelly.runtime.errors import KellyError

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = sorted(path.stem for path in GOLDEN.glob("*.json"))


def golden(name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.loadtxt(GOLDEN / f"{name}.csv", delimiter=",", ndmin=2)


@pytest.mark.parametrize("case", CASES)
def test_outputs_equal_rtneural(case: str) -> None:
    model, inputs = rtneural.read(GOLDEN / f"{case}.json"), golden(f"{case}_input")
    np.testing.assert_allclose(model.run(inputs[None])[0], golden(f"{case}_stateful"), rtol=0, atol=1e-10)
    np.testing.assert_allclose(model.run(inputs[:, None])[:, 0], golden(f"{case}_reset"), rtol=0, atol=1e-10)


def test_the_golden_networks_cover_the_state_of_recurrent_layers() -> None:
    assert len(CASES) == 7
    assert np.abs(golden("two_lstms_stateful") - golden("two_lstms_reset")).max() > 1e-3


def network() -> dict[str, Any]:
    content: dict[str, Any] = orjson.loads((GOLDEN / "lstm_between_dense.json").read_bytes())
    return content


def broken(path: list[Any], value: Any) -> dict[str, Any]:
    content = copy.deepcopy(network())
    parent = content
    for key in path[:-1]:
        parent = parent[key]
    if value is None:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return content


@pytest.mark.parametrize(
    ("key_path", "value", "message"),
    [
        (["layers", 0, "type"], "attention", "layer 0 (attention): unknown type"),
        (["layers", 0, "activation"], "Tanh", "layer 0 (dense): activation 'Tanh'"),
        (["layers", 0, "shape"], [None, None, 7], "layer 0 (dense): weights[0] has shape (9, 8), expected (9, 7)"),
        (["layers", 0, "shape"], [None, None, None, 8], "layer 0 (dense): shape"),
        (["layers", 0, "shape"], [None, None, True], "layer 0 (dense): shape [None, None, True]"),
        (["layers", 0, "weights"], None, "layer 0 (dense): weights are NoneType"),
        (["layers", 0, "weights", 1], [], "layer 0 (dense): weights[1] has shape (0,), expected (8,)"),
        (["layers", 0, "weights", 1, 3], 1e40, "layer 0 (dense): weights[1] contains a number that is not finite"),
        (["layers", 0, "weights", 1, 3], "x", "layer 0 (dense): weights[1] is ragged or not numeric"),
        (["layers", 0, "weights", 1, 3], "0.5", "layer 0 (dense): weights[1] is ragged or not numeric"),
        (["layers", 0, "activation"], None, "layer 0 (dense): activation None"),
        (["layers", 1, "weights", 2, 3], None, "layer 1 (lstm): weights[2] has shape (19,), expected (20,)"),
        (["layers", 0, "weights", 1, 3], True, "layer 0 (dense): weights[1] contains true or false"),
        (["layers", 0, "weights", 0, 0, 0], False, "layer 0 (dense): weights[0] contains true or false"),
        (["layers", 0, "activation"], "x" * 10_000, "activation 'xxxxxxxxxxxx...xxxxxxxxxxxxx'"),
        (["layers", 0, "weights", 0], [[3e38] * 8] * 9, "layer 0 (dense): sums of up to 2.7e+39 on inputs in -1..1"),
        (["metadata"], [], "metadata: found [], expected"),
        (["in_shape"], [], "in_shape: shape []"),
        (["layers"], [], "contains no network"),
    ],
)
def test_what_rtneural_would_misread_is_rejected(tmp_path: Path, key_path: list[Any], value: Any, message: str) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(orjson.dumps(broken(key_path, value)))
    with pytest.raises(KellyError) as error:
        rtneural.read(path)
    assert message in str(error.value)
    assert "broken.json" in str(error.value)


@pytest.mark.parametrize("content", [b"", b"[1, 2", b"\xff\xfe", b"[]", b'{"layers": 3}', b"NaN"])
def test_a_file_that_is_not_a_network_is_rejected(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(KellyError, match=r"broken\.json"):
        rtneural.read(path)


def test_a_duplicate_key_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(orjson.dumps(network()).replace(b'"type":', b'"type":"gru","type":', 1))
    with pytest.raises(KellyError, match="duplicate key 'type'"):
        rtneural.read(path)


def test_an_activation_layer_that_rtneural_skips_or_resizes_is_rejected() -> None:
    def single_layer(activation: str, size: int) -> dict[str, Any]:
        layer = {"type": "activation", "activation": activation, "shape": [None, None, size], "weights": []}
        return {"in_shape": [None, None, 2], "layers": [layer]}

    assert rtneural.parse(single_layer("tanh", 2)).num_outputs == 2
    with pytest.raises(KellyError, match=r"layer 0 \(activation\): activation '', expected one of"):
        rtneural.parse(single_layer("", 2))
    with pytest.raises(KellyError, match=r"layer 0 \(activation\): 3 outputs, expected 2"):
        rtneural.parse(single_layer("tanh", 3))


def test_a_file_larger_than_any_export_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(b" " * (MAX_BYTES + 1))
    with pytest.raises(KellyError, match=f"expected at most {MAX_BYTES}"):
        rtneural.read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KellyError, match="No such file"):
        rtneural.read(tmp_path / "none.json")


def test_inputs_of_the_wrong_size_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"expected \(n, num_frames, 9\)"):
        rtneural.read(GOLDEN / "lstm_between_dense.json").run(np.zeros((2, 3, 8)))
