"""Network → RTNeural's JSON, and the proof that the file computes what the trained network computes.

An export that is not proven does not exist: it is written under a temporary name, read back from disk, compared, and
only then renamed into place. docs/export-format.md specifies the format.
"""

from collections.abc import Callable, Mapping, Sequence
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

Weights = Mapping[str, NDArray[np.float32]]


def document(num_inputs: int, layers: Sequence[Layer], weights: Weights) -> dict[str, Any]:
    """The network as RTNeural reads it, its numbers still arrays.

    weights: PyTorch's, `layers.{i}.weight` and `.bias` of a dense layer, `layers.{i}.weight_ih_l0`, `.weight_hh_l0`,
    `.bias_ih_l0` and `.bias_hh_l0` of an LSTM. PyTorch multiplies by the transpose, RTNeural does not; gates i, f, g,
    o stand in the same order in both; RTNeural has one bias a gate where PyTorch adds two.
    """
    written = []
    for i, layer in enumerate(layers):

        def weight(name: str, i: int = i) -> NDArray[np.float32]:
            return weights[f"layers.{i}.{name}"]

        if isinstance(layer, LSTM):
            bias = weight("bias_ih_l0") + weight("bias_hh_l0")
            kind = "lstm"
            numbers = [weight("weight_ih_l0").T, weight("weight_hh_l0").T, bias]
        else:
            kind, numbers = "dense", [weight("weight").T, weight("bias")]
        arrays = [np.ascontiguousarray(array, dtype=np.float32) for array in numbers]
        if not all(np.isfinite(array).all() for array in arrays):
            raise KellyError(f"layer {i} ({kind}) has values that are not finite; train with a lower learning_rate")
        shape = [None, None, layer.size]
        written.append({"type": kind, "activation": layer.activation, "shape": shape, "weights": arrays})
    return {"in_shape": [None, None, num_inputs], "layers": written}


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a document as compact JSON; float32 arrays get the fewest digits that read back to the same float32."""
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY))


def read_back(path: Path, content: Mapping[str, Any], num_parameters: int) -> Model:
    """Read the file at `path`; raises KellyError where it does not hold every number of `content`."""
    model = read(path)
    if model.num_parameters != num_parameters:
        raise KellyError(f"{path} holds {model.num_parameters} parameters, expected {num_parameters}")
    for i, (layer, wanted) in enumerate(zip(model.layers, content["layers"], strict=True)):
        arrays = (layer.weight, layer.bias) if isinstance(layer, Dense) else (layer.kernel, layer.recurrent, layer.bias)
        for j, (found, array) in enumerate(zip(arrays, wanted["weights"], strict=True)):
            if not np.array_equal(np.asarray(found, dtype=np.float32), array):
                raise KellyError(f"{path}: layer {i} ({wanted['type']}): weights[{j}] did not survive being written")
    return model


def prove(
    path: Path,
    content: Mapping[str, Any],
    num_parameters: int,
    trained: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    inputs: NDArray[np.float32],
    seed: int,
) -> tuple[Model, float]:
    """Read the file at `path` back and show that it computes what the trained network computes.

    content: the document that was to be written; num_parameters: how many numbers it must hold
    trained: outputs [n, num_frames, out] of the trained network, each sequence from a reset on
    inputs: real inputs, float32[1, num_frames, in], at least PROOF_FRAMES of them
    seed: draws random inputs in -1..1 beside them

    Compared are real and random inputs, statefully and with a reset before each frame. Returns the network as read and
    the largest absolute difference; raises KellyError, naming the layer where one is to blame, above TOLERANCE.
    """
    model = read_back(path, content, num_parameters)
    if inputs.shape[1] < PROOF_FRAMES:
        repeats = -(-PROOF_FRAMES // inputs.shape[1])
        inputs = np.tile(inputs, (1, repeats, 1))
    random = np.random.default_rng(seed).uniform(-1, 1, (1, PROOF_FRAMES, model.num_inputs)).astype(np.float32)
    worst = 0.0
    for name, frames in (("real", inputs[:, : 4 * PROOF_FRAMES]), ("random", random)):
        for mode, x in (("stateful", frames), ("reset", frames.swapaxes(0, 1))):
            reference, last_input = trained(x), model.last_input(x)
            if (logit := model.max_logit(last_input)) > MAX_LOGIT:
                raise KellyError(f"{path}: a logit of {logit:.1f} on {name} inputs, expected at most {MAX_LOGIT}")
            exported = model.output(last_input)
            if exported.shape != reference.shape:
                raise KellyError(f"{path}: outputs have shape {exported.shape}, expected {reference.shape}")
            error = float(np.abs(exported - reference).max())
            if not error <= TOLERANCE:
                found = f"{mode} outputs on {name} inputs differ by {error:.3g} from the trained network's"
                raise KellyError(f"{path}: {found}, expected at most {TOLERANCE}; the former export stays")
            worst = max(worst, error)
    return model, worst


def export(
    path: Path,
    content: Mapping[str, Any],
    metadata: Callable[[Model, float], Mapping[str, Any]],
    **proof: Any,
) -> Model:
    """Write a document with its metadata to `path`; it appears there only when it is proven.

    metadata: called with the network as read back and the parity error; proof: the further arguments of `prove`
    """
    with replacing(path) as temporary:
        write(temporary, content)
        try:
            model, parity_error = prove(temporary, content, **proof)
        except KellyError as error:
            raise KellyError(str(error).replace(str(temporary), str(path))) from None
        write(temporary, {**content, "metadata": metadata(model, parity_error)})
        return read_back(temporary, content, proof["num_parameters"])
