"""Parsing of RTNeural JSON, strict enough that RTNeural's parser reads the same values."""

import json
import re
import reprlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from kelly.rtneural.metadata import as_integer
from kelly.runtime.errors import KellyError

MAX_BYTES = 16 * 2**20  # the largest export has 8 MB
MAX_DEPTH = 64  # nested arrays and objects; an export has six levels
MAX_WIDTH = 65_536
FLOAT_OVERFLOW = 2.0**128 - 2.0**103  # the smallest number that float32 rounds to infinity


def load_json(data: bytes) -> Any:
    """Parse JSON in UTF-8. Raises KellyError where it is invalid, too large, too deep, or has duplicate keys."""
    if len(data) > MAX_BYTES:
        raise KellyError(f"has {len(data)} bytes, expected at most {MAX_BYTES}")
    try:
        content = orjson.loads(data)
        if _depth(data) > MAX_DEPTH:  # json.loads would fail at a depth that depends on its caller's
            raise KellyError(f"is nested more deeply than {MAX_DEPTH} levels")
        # orjson keeps the last of duplicate keys; which one RTNeural's parser keeps is not specified.
        json.loads(data, object_pairs_hook=_unique)
    except RecursionError:
        raise KellyError("is nested too deeply, expected an exported network") from None
    except ValueError as error:
        raise KellyError(f"is not JSON ({error})") from None
    return content


def _depth(data: bytes) -> int:
    """How deeply arrays and objects are nested in valid JSON."""
    brackets = re.sub(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[^][{}"]+', b"", data)
    steps = np.where(np.isin(np.frombuffer(brackets, np.uint8), list(b"[{")), 1, -1)
    return int(steps.cumsum().max(initial=0))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise KellyError(f"duplicate key {reprlib.repr(key)} in an object, expected unique keys")
        result[key] = value
    return result


def layer_size(shape: Any, where: str) -> int:
    """The last of three elements of a shape; RTNeural takes one of four for a 2-D convolution."""
    size = as_integer(shape[2]) if isinstance(shape, list) and len(shape) == 3 else None
    if type(size) is not int or not 0 < size <= MAX_WIDTH:
        raise KellyError(f"{where}: shape {reprlib.repr(shape)}, expected [null, null, size]")
    return size


def weight_arrays(weights: Any, shapes: Sequence[tuple[int, ...]], where: str) -> list[NDArray[np.float64]]:
    """The weights of a layer as float64 arrays. Raises KellyError unless shapes match and all are finite in float32."""
    if not isinstance(weights, list) or len(weights) != len(shapes):
        found = f"{len(weights)} arrays" if isinstance(weights, list) else type(weights).__name__
        raise KellyError(f"{where}: weights are {found}, expected {len(shapes)} arrays")
    arrays = []
    for i, (values, shape) in enumerate(zip(weights, shapes, strict=True)):
        try:
            array = np.array(values)
            if array.dtype.kind not in "iuf":
                raise ValueError
            array = array.astype(np.float64)
        except (ValueError, TypeError, OverflowError):
            raise KellyError(f"{where}: weights[{i}] is ragged or not numeric, expected shape {shape}") from None
        if array.shape != shape:
            raise KellyError(f"{where}: weights[{i}] has shape {array.shape}, expected {shape}")
        rows = values if array.ndim == 2 else [values]
        if any(type(number) is bool for row in rows for number in row):  # NumPy converts them to 0 and 1
            raise KellyError(f"{where}: weights[{i}] contains true or false, expected numbers")
        if not (np.abs(array) < FLOAT_OVERFLOW).all():
            raise KellyError(f"{where}: weights[{i}] contains a number that is not finite in float32")
        arrays.append(array)
    return arrays
