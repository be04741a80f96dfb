"""Reads RTNeural JSON and computes in NumPy what RTNeural computes, to the last digits of double precision.

RTNeural's parser validates almost nothing: it skips what is invalid, fills it with zeros or reads past the end, and the
plugin silently falls back. This reader rejects whatever RTNeural would misread. docs/export-format.md specifies the
format and lists the pitfalls.
"""

import math
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from kelly.rtneural.document import FLOAT_OVERFLOW, MAX_BYTES, layer_size, load_json, weight_arrays
from kelly.rtneural.metadata import Metadata, read_metadata
from kelly.runtime.errors import KellyError
from kelly.runtime.files import read_bytes
from kelly.tasks import ACTIVATIONS

Floats = NDArray[np.float64]

BLOCK_FRAMES = 4_096  # computed at a time, in complete sequences

ACTIVATION: dict[str, Callable[[Floats], Floats]] = {
    "": lambda x: x,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0.0),
    "sigmoid": expit,
    "softmax": lambda x: softmax(x, axis=-1),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0.0))),
}
assert tuple(ACTIVATION) == ACTIVATIONS


def _product(x: Floats, weight: Floats) -> Floats:
    """x @ weight for x: float64[..., in], as one product; NumPy would compute one per sequence, which is slow."""
    product: Floats = x.reshape(-1, x.shape[-1]) @ weight
    return product.reshape(*x.shape[:-1], -1)


@dataclass(frozen=True)
class Dense:
    """`activation(x·W + b)`; an activation layer has neither W nor b."""

    weight: Floats | None
    bias: Floats | None
    activation: str

    def linear(self, x: Floats) -> Floats:
        """The input of the activation."""
        if self.weight is None or self.bias is None:
            return x
        sums = _product(x, self.weight)
        sums += self.bias
        return sums

    def run(self, x: Floats) -> Floats:
        """float64[..., out] from x: float64[..., in]."""
        return ACTIVATION[self.activation](self.linear(x))

    def bounds(self, bound: float) -> tuple[float, float]:
        """The largest absolute sum and output for inputs in ±bound."""
        sums = bound
        if self.weight is not None and self.bias is not None:
            sums = float((bound * np.abs(self.weight).sum(axis=0) + np.abs(self.bias)).max())
        return sums, 1.0 if self.activation in ("tanh", "sigmoid", "softmax") else max(sums, 1.0)


@dataclass(frozen=True)
class Recurrent:
    """An LSTM (gates i, f, g, o) or a GRU (gates z, r, n; the bias has two rows, for input and state)."""

    kind: str
    kernel: Floats
    recurrent: Floats
    bias: Floats

    def run(self, x: Floats) -> Floats:
        """float64[n, num_frames, size] from x: float64[n, num_frames, in], starting in state zero."""
        size = len(self.recurrent)
        hidden, cell = np.zeros((2, len(x), size))
        outputs = np.empty((*x.shape[:2], size))
        step = self.lstm if self.kind == "lstm" else self.gru
        projected = _product(x, self.kernel)
        for t in range(x.shape[1]):
            hidden, cell = step(projected[:, t], hidden, cell)
            outputs[:, t] = hidden
        return outputs

    def bounds(self, bound: float) -> tuple[float, float]:
        """The largest absolute sum and output for inputs in ±bound."""
        bias = np.abs(self.bias).reshape(-1, self.kernel.shape[1]).sum(axis=0)
        sums = bound * np.abs(self.kernel).sum(axis=0) + np.abs(self.recurrent).sum(axis=0) + bias
        return float(sums.max()), 1.0

    def lstm(self, projected: Floats, hidden: Floats, cell: Floats) -> tuple[Floats, Floats]:
        """One step: Hochreiter & Schmidhuber 1997 with forget gate, as torch.nn.LSTM."""
        i, f, g, o = np.split(projected + hidden @ self.recurrent + self.bias, 4, axis=1)
        cell = expit(f) * cell + expit(i) * np.tanh(g)
        return expit(o) * np.tanh(cell), cell

    def gru(self, projected: Floats, hidden: Floats, cell: Floats) -> tuple[Floats, Floats]:
        """One step: Cho et al. 2014 as torch.nn.GRU, where the reset gate acts on the product with the state."""
        zx, rx, nx = np.split(projected + self.bias[0], 3, axis=1)
        zh, rh, nh = np.split(hidden @ self.recurrent + self.bias[1], 3, axis=1)
        z = expit(zx + zh)
        return (1 - z) * np.tanh(nx + expit(rx + rh) * nh) + z * hidden, cell


@dataclass(frozen=True)
class Model:
    """An exported network, computed in float64."""

    num_inputs: int
    num_outputs: int
    layers: tuple[Dense | Recurrent, ...]
    metadata: Metadata

    @property
    def num_parameters(self) -> int:
        """Number of weights and biases."""
        values = [value for layer in self.layers for value in vars(layer).values()]
        return sum(value.size for value in values if isinstance(value, np.ndarray))

    def run(self, inputs: NDArray[Any]) -> Floats:
        """Outputs float64[n, num_frames, out] of inputs[n, num_frames, in].

        Each sequence starts in state zero and carries its state to its end. One sequence of many frames is how the
        plugin runs; many sequences of one frame reset before each.
        """
        step = max(1, BLOCK_FRAMES // max(1, math.prod(inputs.shape[1:-1])))
        starts = range(0, max(1, len(inputs)), step)
        return np.concatenate([self.output(self.last_input(inputs[i : i + step])) for i in starts])

    def last_input(self, inputs: NDArray[Any]) -> Floats:
        """The input of the last layer."""
        x = np.asarray(inputs, dtype=np.float64)
        if x.ndim != 3 or x.shape[2] != self.num_inputs:
            raise ValueError(f"inputs have shape {x.shape}, expected (n, num_frames, {self.num_inputs})")
        for layer in self.layers[:-1]:
            x = layer.run(x)
        return x

    def output(self, last_input: Floats) -> Floats:
        """The output of the last layer, from its input."""
        return self.layers[-1].run(last_input)

    def max_logit(self, last_input: Floats) -> float:
        """The largest input of a final softmax; 0 if the last layer is another."""
        last = self.layers[-1]
        if isinstance(last, Dense) and last.activation == "softmax":
            return float(last.linear(last_input).max())
        return 0.0


def read(path: Path) -> Model:
    """Read an exported network. Raises KellyError, naming the layer, for whatever RTNeural would misread."""
    data = read_bytes(path, MAX_BYTES, "export the network")
    try:
        return parse(load_json(data))
    except KellyError as error:
        raise KellyError(f"{path}: {error}; RTNeural would crash or misread it, export the network again") from None


def parse(content: Any) -> Model:
    """Validate a JSON document and build the network. Raises KellyError as `read` does."""
    if not isinstance(content, dict) or not isinstance(content.get("layers"), list) or not content["layers"]:
        raise KellyError("contains no network, expected an object with in_shape and a list of layers")
    metadata = read_metadata(content.get("metadata", {}))
    size = num_inputs = layer_size(content.get("in_shape"), "in_shape")
    layers: list[Dense | Recurrent] = []
    bound = 1.0  # inputs are in -1..1
    for i, spec in enumerate(content["layers"]):
        kind = spec.get("type") if isinstance(spec, dict) else None
        where = f"layer {i} ({str(kind)[:20]})"
        if kind not in ("dense", "lstm", "gru", "activation"):
            raise KellyError(f"{where}: unknown type, expected dense, lstm, gru or activation")
        layer, size = _layer(kind, spec, size, where)
        sums, bound = layer.bounds(bound)
        if sums >= FLOAT_OVERFLOW:
            raise KellyError(f"{where}: sums of up to {sums:.3g} on inputs in -1..1, more than float32 can hold")
        layers.append(layer)
    return Model(num_inputs, size, tuple(layers), metadata)


def _layer(kind: str, spec: Mapping[str, Any], size: int, where: str) -> tuple[Dense | Recurrent, int]:
    """A layer with `size` inputs, and its number of outputs."""
    out, weights = layer_size(spec.get("shape"), where), spec.get("weights")
    if kind in ("lstm", "gru"):
        gates = 4 if kind == "lstm" else 3
        shapes = [(size, gates * out), (out, gates * out), (gates * out,) if kind == "lstm" else (2, gates * out)]
        return Recurrent(kind, *weight_arrays(weights, shapes, where)), out
    activation: Any = spec.get("activation")
    # RTNeural skips an activation layer with an empty activation, and crashes on a network without layers.
    allowed = ACTIVATIONS if kind == "dense" else ACTIVATIONS[1:]
    if activation not in allowed:
        raise KellyError(f"{where}: activation {reprlib.repr(activation)}, expected one of {allowed}")
    if kind == "dense":
        weight, bias = weight_arrays(weights, [(size, out), (out,)], where)
        return Dense(weight, bias, activation), out
    weight_arrays(weights, [], where)
    if out != size:
        raise KellyError(f"{where}: {out} outputs, expected {size}, the number of its inputs")
    return Dense(None, None, activation), out
