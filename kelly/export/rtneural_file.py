"""Network → RTNeural's JSON, and the proof that the file computes what the trained network computes.

The file is written under a temporary name, read back from disk, compared with the network, and only then renamed: there
is no export without a proof. docs/export-format.md specifies the format.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from kelly.rtneural.reader import Dense, Model, read
from kelly.runtime.atomic import replacing
from kelly.runtime.errors import KellyError
from kelly.tasks import LSTM, Layer

FORMAT_VERSION = 1
TOLERANCE = 1e-5  # largest absolute difference between the outputs of the trained network and of its export
MAX_LOGIT = 80.0  # RTNeural's softmax subtracts no maximum and overflows in float32 above 88.7
PROOF_FRAMES = 1_000


@dataclass(frozen=True)
class Reference:
    """The trained network that an export is compared with.

    run: outputs [n, num_frames, out] from inputs [n, num_frames, in], the state reset before each sequence
    num_parameters: how many numbers the export must contain
    inputs: real inputs, float32[1, num_frames, in]; fewer than PROOF_FRAMES are repeated
    seed: of the random inputs in -1..1 that it is compared on as well
    """

    run: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    num_parameters: int
    inputs: NDArray[np.float32]
    seed: int


def to_document(num_inputs: int, layers: Sequence[Layer], weights: Mapping[str, Any]) -> dict[str, Any]:
    """The network in RTNeural's format, its weights still arrays.

    weights: PyTorch's, `layers.{i}.weight` and `.bias` of a dense layer, `layers.{i}.weight_ih_l0`, `.weight_hh_l0`,
    `.bias_ih_l0` and `.bias_hh_l0` of an LSTM. PyTorch multiplies by the transpose, RTNeural does not; gates i, f, g,
    o are in the same order in both; RTNeural has one bias per gate where PyTorch adds two.
    Raises KellyError for weights that are not finite.
    """
    documents = []
    for i, layer in enumerate(layers):
        if isinstance(layer, LSTM):
            names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
            kernel, recurrent, first, second = (weights[f"layers.{i}.{name}"] for name in names)
            kind, tensors = "lstm", [kernel.T, recurrent.T, first + second]
        else:
            kind, tensors = "dense", [weights[f"layers.{i}.weight"].T, weights[f"layers.{i}.bias"]]
        arrays = [np.ascontiguousarray(tensor, dtype=np.float32) for tensor in tensors]
        if not all(np.isfinite(array).all() for array in arrays):
            raise KellyError(f"layer {i} ({kind}) has values that are not finite; train with a lower learning_rate")
        shape = [None, None, layer.size]
        documents.append({"type": kind, "activation": layer.activation, "shape": shape, "weights": arrays})
    return {"in_shape": [None, None, num_inputs], "layers": documents}


def export(
    path: Path, document: Mapping[str, Any], reference: Reference, metadata: Callable[[Model, float], Mapping[str, Any]]
) -> Model:
    """Write a document with its metadata to `path`; an earlier file there is replaced only when the new one is proven.

    metadata: called with the model as read back and the parity error
    """
    with replacing(path) as temporary:
        write(temporary, document)
        try:
            model, parity_error = prove(temporary, document, reference)
        except KellyError as error:
            raise KellyError(str(error).replace(str(temporary), str(path))) from None
        write(temporary, {**document, "metadata": metadata(model, parity_error)})
        return read_back(temporary, document, reference.num_parameters)


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document as compact JSON; float32 values get the fewest digits that read back as the same float32."""
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY))


def read_back(path: Path, document: Mapping[str, Any], num_parameters: int) -> Model:
    """Read the file at `path`; raises KellyError where it does not contain every number of `document`."""
    model = read(path)
    if model.num_parameters != num_parameters:
        raise KellyError(f"{path} contains {model.num_parameters} parameters, expected {num_parameters}")
    for i, (layer, expected) in enumerate(zip(model.layers, document["layers"], strict=True)):
        arrays = (layer.weight, layer.bias) if isinstance(layer, Dense) else (layer.kernel, layer.recurrent, layer.bias)
        for j, (array, expected_array) in enumerate(zip(arrays, expected["weights"], strict=True)):
            if not np.array_equal(np.asarray(array, dtype=np.float32), expected_array):
                raise KellyError(f"{path}: layer {i} ({expected['type']}): weights[{j}] changed when it was written")
    return model


def prove(path: Path, document: Mapping[str, Any], reference: Reference) -> tuple[Model, float]:
    """Read the file at `path` back and compare it with the trained network.

    Real and random inputs are compared, statefully and with a reset before each frame. Returns the model as read and
    the largest absolute difference (the parity error). Raises KellyError above TOLERANCE, naming the layer where one
    is responsible.
    """
    model = read_back(path, document, reference.num_parameters)
    inputs = reference.inputs
    if inputs.shape[1] < PROOF_FRAMES:
        inputs = np.tile(inputs, (1, -(-PROOF_FRAMES // inputs.shape[1]), 1))
    rng = np.random.default_rng(reference.seed)
    random = rng.uniform(-1, 1, (1, PROOF_FRAMES, model.num_inputs)).astype(np.float32)
    parity_error = 0.0
    for name, frames in (("real", inputs[:, : 4 * PROOF_FRAMES]), ("random", random)):
        for mode, x in (("stateful", frames), ("reset", frames.swapaxes(0, 1))):
            expected, last_input = reference.run(x), model.last_input(x)
            if (logit := model.max_logit(last_input)) > MAX_LOGIT:
                raise KellyError(f"{path}: a logit of {logit:.1f} on {name} inputs, expected at most {MAX_LOGIT}")
            outputs = model.output(last_input)
            if outputs.shape != expected.shape:
                raise KellyError(f"{path}: outputs have shape {outputs.shape}, expected {expected.shape}")
            error = float(np.abs(outputs - expected).max())
            if not error <= TOLERANCE:
                difference = f"{mode} outputs on {name} inputs differ by {error:.3g} from the trained network's"
                raise KellyError(f"{path}: {difference}, expected at most {TOLERANCE}; an earlier export is kept")
            parity_error = max(parity_error, error)
    return model, parity_error
