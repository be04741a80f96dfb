"""A network of any supported layers computes the same after it was written and read."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kelly.export.rtneural_file import TOLERANCE, to_document, write
from kelly.networks import ACTIVATION
from kelly.rtneural import reader as rtneural
from kelly.tasks import ACTIVATIONS, LSTM, Dense

NUM_FRAMES = 12

Spec = tuple[str, int, str]  # kind, number of outputs, activation


@st.composite
def networks(draw: st.DrawFn) -> tuple[int, list[Spec]]:
    """A number of inputs and up to five layers, many square: a missing transpose would have the right shape."""
    num_inputs = size = draw(st.integers(1, 9))
    specs: list[Spec] = []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(("dense", "dense", "lstm", "gru", "activation")))
        if kind != "activation":
            size = draw(st.one_of(st.just(size), st.integers(1, 9)))
        names = {"dense": ACTIVATIONS, "activation": ACTIVATIONS[1:]}.get(kind, ("",))
        specs.append((kind, size, draw(st.sampled_from(names))))
    return num_inputs, specs


def torch_layer(num_inputs: int, kind: str, size: int) -> torch.nn.Module:
    if kind == "dense":
        return torch.nn.Linear(num_inputs, size)
    if kind == "activation":
        return torch.nn.Identity()
    if kind == "lstm":
        return torch.nn.LSTM(num_inputs, size, batch_first=True)
    return torch.nn.GRU(num_inputs, size, batch_first=True)


def layer_json(layer: torch.nn.Module, num_inputs: int, kind: str, size: int, activation: str) -> dict[str, Any]:
    """A layer in the format of docs/export-format.md, from the project's exporter if it supports the layer."""
    weights = {name: parameter.detach().numpy() for name, parameter in layer.named_parameters()}
    if kind in ("dense", "lstm"):
        exported = Dense(size, activation) if kind == "dense" else LSTM(size)
        content = to_document(num_inputs, [exported], {f"layers.0.{name}": array for name, array in weights.items()})
        exported_json: dict[str, Any] = content["layers"][0]
        return exported_json
    arrays: list[NDArray[np.float32]] = []
    if kind == "gru":
        swapped = {name: np.concatenate(np.split(a, 3)[1::-1] + np.split(a, 3)[2:]) for name, a in weights.items()}
        biases = np.stack([swapped["bias_ih_l0"], swapped["bias_hh_l0"]])
        arrays = [swapped["weight_ih_l0"].T.copy(), swapped["weight_hh_l0"].T.copy(), biases]
    return {"type": kind, "activation": activation, "shape": [None, None, size], "weights": arrays}


@settings(derandomize=True, max_examples=120, deadline=None)
@given(network=networks(), seed=st.integers(0, 2**31))
def test_a_network_computes_the_same_after_it_was_written_and_read(network: tuple[int, list[Spec]], seed: int) -> None:
    num_inputs, specs = network
    torch.manual_seed(seed)
    inputs = torch.rand(1, NUM_FRAMES, num_inputs) * 2 - 1
    stateful, reset, size, layers = inputs, inputs.swapaxes(0, 1), num_inputs, []
    with torch.no_grad():
        for kind, out, activation in specs:
            layer = torch_layer(size, kind, out)
            layers.append(layer_json(layer, size, kind, out, activation))
            activate = ACTIVATION.get(activation, torch.nn.Identity())
            stateful, reset = (
                activate(layer(x)[0] if kind in ("lstm", "gru") else layer(x)) for x in (stateful, reset)
            )
            size = out
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.json"
        write(path, {"in_shape": [None, None, num_inputs], "layers": layers})
        model = rtneural.read(path)
    assert (model.num_inputs, model.num_outputs, len(model.layers)) == (num_inputs, size, len(specs))
    assert model.num_parameters == sum(array.size for layer in layers for array in layer["weights"])
    np.testing.assert_allclose(model.run(inputs.numpy()), stateful.numpy(), rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(model.run(inputs.numpy().swapaxes(0, 1)), reset.numpy(), rtol=0, atol=TOLERANCE)
