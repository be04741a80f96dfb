"""A NumPy reader of RTNeural's JSON that computes what RTNeural computes, to the last digits of double precision.

RTNeural's parser checks almost nothing: what is wrong in a file is skipped, filled with zeros or read past its end, and
the plugin falls back without a word. So this reader refuses whatever RTNeural would misread. docs/export-format.md
specifies the format and lists the traps.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from scipy.special import expit, softmax

from kelly.errors import KellyError
from kelly.layers import ACTIVATIONS

Floats = NDArray[np.float64]

ACTIVATION: dict[str, Callable[[Floats], Floats]] = {
    "": lambda x: x,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0.0),
    "sigmoid": expit,
    "softmax": lambda x: softmax(x, axis=-1),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0.0))),
}
assert tuple(ACTIVATION) == ACTIVATIONS


@dataclass(frozen=True)
class Dense:
    """`activation(x·W + b)`; also an activation layer of its own, whose W is None."""

    weight: Floats | None
    bias: Floats | None
    activation: str

    @property
    def num_parameters(self) -> int:
        return sum(0 if array is None else array.size for array in (self.weight, self.bias))

    def linear(self, x: Floats) -> Floats:
        """The output before the activation."""
        return x if self.weight is None or self.bias is None else x @ self.weight + self.bias

    def run(self, x: Floats) -> Floats:
        """float64[..., out] from x: float64[..., in]."""
        return ACTIVATION[self.activation](self.linear(x))


@dataclass(frozen=True)
class Recurrent:
    """An LSTM (gates i, f, g, o) or a GRU (gates z, r, n; bias has two rows, for input and state)."""

    kind: str
    kernel: Floats
    recurrent: Floats
    bias: Floats

    @property
    def num_parameters(self) -> int:
        return self.kernel.size + self.recurrent.size + self.bias.size

    def run(self, x: Floats) -> Floats:
        """float64[n, num_frames, size] from x: float64[n, num_frames, in], the state starting at zero."""
        size = len(self.recurrent)
        hidden, cell = np.zeros((2, len(x), size))
        outputs = np.empty((*x.shape[:2], size))
        step = self.lstm if self.kind == "lstm" else self.gru
        driven = x @ self.kernel
        for t in range(x.shape[1]):
            hidden, cell = step(driven[:, t], hidden, cell)
            outputs[:, t] = hidden
        return outputs

    def lstm(self, driven: Floats, hidden: Floats, cell: Floats) -> tuple[Floats, Floats]:
        """Hochreiter & Schmidhuber 1997 with forget gate, as torch.nn.LSTM."""
        i, f, g, o = np.split(driven + hidden @ self.recurrent + self.bias, 4, axis=1)
        cell = expit(f) * cell + expit(i) * np.tanh(g)
        return expit(o) * np.tanh(cell), cell

    def gru(self, driven: Floats, hidden: Floats, cell: Floats) -> tuple[Floats, Floats]:
        """Cho et al. 2014 in the variant of torch.nn.GRU: the reset gate acts on the product with the state."""
        zx, rx, nx = np.split(driven + self.bias[0], 3, axis=1)
        zh, rh, nh = np.split(hidden @ self.recurrent + self.bias[1], 3, axis=1)
        z = expit(zx + zh)
        return (1 - z) * np.tanh(nx + expit(rx + rh) * nh) + z * hidden, cell


@dataclass(frozen=True)
class Model:
    """An exported network, computed in float64."""

    num_inputs: int
    num_outputs: int
    layers: tuple[Dense | Recurrent, ...]
    metadata: Mapping[str, Any]

    @property
    def num_parameters(self) -> int:
        """Numbers in all layers."""
        return sum(layer.num_parameters for layer in self.layers)

    def run(self, inputs: NDArray[Any]) -> Floats:
        """Outputs float64[n, num_frames, out] of inputs[n, num_frames, in].

        Each of the n sequences starts after a reset and keeps its state to its end: one sequence of many frames is
        how the plugin plays, many sequences of one frame are resets before each.
        """
        return self.output(self.last_input(inputs))

    def last_input(self, inputs: NDArray[Any]) -> Floats:
        """What goes into the last layer."""
        x = np.asarray(inputs, dtype=np.float64)
        if x.ndim != 3 or x.shape[2] != self.num_inputs:
            raise ValueError(f"inputs have shape {x.shape}, expected (n, num_frames, {self.num_inputs})")
        for layer in self.layers[:-1]:
            x = layer.run(x)
        return x

    def output(self, last_input: Floats) -> Floats:
        """What comes out of the last layer."""
        return self.layers[-1].run(last_input)

    def max_logit(self, last_input: Floats) -> float:
        """The largest number that a final softmax exponentiates; 0 where the last layer is another."""
        last = self.layers[-1]
        is_softmax = isinstance(last, Dense) and last.activation == "softmax"
        return float(last.linear(last_input).max()) if is_softmax else 0.0  # type: ignore[union-attr]


def read(path: Path) -> Model:
    """Read an exported network. Raises KellyError, naming the layer, for all that RTNeural would misread."""
    try:
        content = orjson.loads(path.read_bytes())
    except OSError as error:
        raise KellyError(f"{path} cannot be read ({error.strerror}); export the network first") from None
    except orjson.JSONDecodeError as error:
        raise KellyError(f"{path} is not JSON ({error}); export the network again") from None
    try:
        return parse(content)
    except KellyError as error:
        raise KellyError(f"{path}: {error}; RTNeural would crash or misread it, export the network again") from None


def parse(content: Any) -> Model:
    """Check and build a network from a JSON document."""
    if not isinstance(content, dict) or not isinstance(content.get("layers"), list) or not content["layers"]:
        raise KellyError("there is no network, expected an object with in_shape and a list of layers")
    size = num_inputs = width(content.get("in_shape"), "in_shape")
    layers: list[Dense | Recurrent] = []
    for i, layer in enumerate(content["layers"]):
        kind = layer.get("type") if isinstance(layer, dict) else None
        where = f"layer {i} ({kind})"
        if kind not in ("dense", "lstm", "gru", "activation"):
            raise KellyError(f"{where}: unknown type, expected dense, lstm, gru or activation")
        out = width(layer.get("shape"), where)
        if kind in ("dense", "activation"):
            activation = layer.get("activation")
            if activation not in ACTIVATIONS:
                raise KellyError(f"{where}: activation {activation!r}, expected one of {ACTIVATIONS}")
            shapes = [(size, out), (out,)] if kind == "dense" else []
            arrays = numbers(layer.get("weights"), shapes, where)
            if kind == "activation" and out != size:
                raise KellyError(f"{where}: {out} outputs, expected {size}, those of the layer before")
            layers.append(Dense(arrays[0] if arrays else None, arrays[1] if arrays else None, activation))
        else:
            gates = 4 if kind == "lstm" else 3
            bias = (gates * out,) if kind == "lstm" else (2, gates * out)
            shapes = [(size, gates * out), (out, gates * out), bias]
            layers.append(Recurrent(kind, *numbers(layer.get("weights"), shapes, where)))
        size = out
    metadata = content.get("metadata", {})
    return Model(num_inputs, size, tuple(layers), metadata if isinstance(metadata, dict) else {})


def width(shape: Any, where: str) -> int:
    """The last of three elements, the one that counts; four would mean a convolution over pictures."""
    good = isinstance(shape, list) and len(shape) == 3 and isinstance(shape[2], int) and not isinstance(shape[2], bool)
    if not good or not 0 < shape[2] <= 65_536:
        raise KellyError(f"{where}: shape {shape!r}, expected [null, null, size]")
    return int(shape[2])


def numbers(weights: Any, shapes: Sequence[tuple[int, ...]], where: str) -> list[Floats]:
    """The weights as float64 arrays of just these shapes, every number finite in float32."""
    if not isinstance(weights, list) or len(weights) != len(shapes):
        found = f"{len(weights)} arrays" if isinstance(weights, list) else type(weights).__name__
        raise KellyError(f"{where}: weights are {found}, expected {len(shapes)} arrays")
    arrays = []
    for i, (given, shape) in enumerate(zip(weights, shapes, strict=True)):
        try:
            array = np.array(given)
            if array.dtype.kind not in "iuf":
                raise ValueError
            array = array.astype(np.float64)
        except (ValueError, TypeError, OverflowError):
            raise KellyError(f"{where}: weights[{i}] is ragged or not of numbers, expected shape {shape}") from None
        if array.shape != shape:
            raise KellyError(f"{where}: weights[{i}] has shape {array.shape}, expected {shape}")
        if not (np.abs(array) <= np.finfo(np.float32).max).all():
            raise KellyError(f"{where}: weights[{i}] holds a number that is not finite in float32")
        arrays.append(array)
    return arrays
