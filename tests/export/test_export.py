"""An export is written only when it is proven."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from kelly.export import rtneural_file
from kelly.export.export_model import as_function
from kelly.networks import Network
from kelly.rtneural import reader as rtneural
from kelly.runtime.errors import KellyError
from kelly.tasks import LSTM, TASKS, Dense, Layer, Task


def weights(network: Network) -> dict[str, Any]:
    return {name: weight.numpy() for name, weight in network.state_dict().items()}


def exported(path: Path, network: Network, document: dict[str, Any] | None = None) -> rtneural.Model:
    task = network.task
    inputs = np.random.default_rng(0).uniform(-1, 1, (1, 1_100, task.num_inputs)).astype(np.float32)
    return rtneural_file.export(
        path,
        document or rtneural_file.to_document(task.num_inputs, task.layers, weights(network)),
        rtneural_file.Reference(as_function(network), task.num_parameters, inputs, seed=1),
        lambda model, parity_error: {"num_parameters": model.num_parameters, "parity_error": parity_error},
    )


def task_of(*layers: Layer) -> Task:
    return replace(TASKS["groovepredictor"], layers=layers)


@pytest.mark.parametrize("name", TASKS)
def test_each_network_is_proven_compact_and_what_rtneural_reads(tmp_path: Path, name: str) -> None:
    network = Network(TASKS[name], seed=7)
    model = exported(tmp_path / "network.json", network)
    assert 0 < model.metadata["parity_error"] < 2e-6
    assert model.num_parameters == network.task.num_parameters
    assert [path.name for path in tmp_path.iterdir()] == ["network.json"]
    text = (tmp_path / "network.json").read_bytes()
    assert len(text) < 14 * model.num_parameters
    content = orjson.loads(text)
    assert content["in_shape"] == [None, None, network.task.num_inputs]
    for layer, expected in zip(content["layers"], network.task.layers, strict=True):
        assert layer.keys() == {"type", "activation", "shape", "weights"}
        assert layer["type"] == ("lstm" if isinstance(expected, LSTM) else "dense")
        assert layer["activation"] == expected.activation
    first = np.array(content["layers"][0]["weights"][0], dtype=np.float32)
    np.testing.assert_array_equal(first, weights(network)["layers.0.weight"].T)  # exactly


def with_array(content: dict[str, Any], layer: int, part: int, array: Any) -> dict[str, Any]:
    content["layers"][layer]["weights"][part] = array
    return content


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        # A square matrix that was not transposed has the right shape: only the proof notices.
        (lambda c: with_array(c, 2, 0, np.ascontiguousarray(c["layers"][2]["weights"][0].T)), "differ by"),
        (lambda c: with_array(c, 1, 2, c["layers"][1]["weights"][2] * 0), "differ by"),
        (lambda c: with_array(c, 1, 1, np.ascontiguousarray(c["layers"][1]["weights"][1][:, ::-1])), "differ by"),
        (lambda c: with_array(c, 0, 1, c["layers"][0]["weights"][1][:-1]), r"layer 0 .dense.: weights.1. has shape"),
        (lambda c: c | {"layers": c["layers"][:3]}, "contains 1684 parameters, expected 2100"),
    ],
    ids=["not transposed", "bias lost", "gates reordered", "bias too short", "layer lost"],
)
def test_a_wrong_export_is_detected_and_the_earlier_one_is_kept(tmp_path: Path, spoil: Any, message: str) -> None:
    task = task_of(Dense(8, "relu"), LSTM(12), Dense(12, "relu"), Dense(32, "sigmoid"))
    path, network = tmp_path / "network.json", Network(task, seed=7)
    path.write_text("an earlier export")
    content = rtneural_file.to_document(64, network.task.layers, weights(network))
    with pytest.raises(KellyError, match=message) as error:
        exported(path, network, spoil(content))
    assert str(path) in str(error.value)
    assert path.read_text() == "an earlier export"
    assert [path.name for path in tmp_path.iterdir()] == ["network.json"]


def test_a_network_that_diverged_is_not_exported() -> None:
    broken = weights(Network(TASKS["groovepredictor"]))
    broken["layers.1.bias"] = np.full_like(broken["layers.1.bias"], np.nan)
    with pytest.raises(KellyError, match=r"layer 1 \(dense\) has values that are not finite"):
        rtneural_file.to_document(64, TASKS["groovepredictor"].layers, broken)


def test_logits_that_would_overflow_rtneurals_softmax_are_refused(tmp_path: Path) -> None:
    network = Network(TASKS["harmonypredictor"])
    for parameter in network.layers[-1].parameters():
        parameter.data *= 2_000
    with pytest.raises(KellyError, match="a logit of"):
        exported(tmp_path / "network.json", network)


@pytest.mark.parametrize(
    "layers",
    [(Dense(8, "relu"), Dense(8, "elu"), Dense(4, "")), (LSTM(6), LSTM(6), Dense(3, "tanh")), (Dense(5, "softmax"),)],
    ids=["dense", "stacked lstm", "softmax"],
)
def test_other_networks_of_the_same_layers_are_proven_too(tmp_path: Path, layers: Any) -> None:
    model = exported(tmp_path / "network.json", Network(task_of(*layers), seed=1))
    assert model.metadata["parity_error"] < 1e-5
