"""The parts of RTNeural's JSON, checked so strictly that RTNeural's parser and this project's read the same."""

import json
import reprlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from kelly.runtime.errors import KellyError

MAX_WIDTH = 65_536
FLOAT_OVERFLOW = 2.0**128 - 2.0**103  # from here on a number rounds to infinity in float32


def document(data: bytes) -> Any:
    """The one JSON document in `data`. Raises KellyError where it is none or an object names a key twice."""
    try:
        content = orjson.loads(data)
        # orjson keeps the last of equal keys without a word; which one RTNeural's parser keeps is not specified.
        json.loads(data, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise KellyError(f"is not JSON ({error})") from None
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise KellyError(f"the key {reprlib.repr(key)} stands twice in an object, expected once")
        found[key] = value
    return found


def width(shape: Any, where: str) -> int:
    """The last of three elements, the one that counts; four would mean a convolution over pictures."""
    good = isinstance(shape, list) and len(shape) == 3 and type(shape[2]) is int
    if not good or not 0 < shape[2] <= MAX_WIDTH:
        raise KellyError(f"{where}: shape {reprlib.repr(shape)}, expected [null, null, size]")
    return int(shape[2])


def numbers(weights: Any, shapes: Sequence[tuple[int, ...]], where: str) -> list[NDArray[np.float64]]:
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
        rows = given if array.ndim == 2 else [given]
        if any(type(number) is bool for row in rows for number in row):  # among numbers NumPy takes them for 0 and 1
            raise KellyError(f"{where}: weights[{i}] holds true or false, expected numbers")
        if not (np.abs(array) < FLOAT_OVERFLOW).all():
            raise KellyError(f"{where}: weights[{i}] holds a number that is not finite in float32")
        arrays.append(array)
    return arrays
