"""Oracles for fuzz_targets: the contents of a file by the simplest code. For MIDI the oracle is smf."""

import csv
import io
import json
import ntpath
import posixpath
from collections import defaultdict
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray


def rows(text: str) -> list[list[str]] | None:
    """Rows of a CSV file without empty lines and leading spaces; None if it is invalid or a cell has a line break."""
    try:
        table = list(csv.reader(io.StringIO(text, newline=None), skipinitialspace=True, strict=True))
    except csv.Error:
        return None
    return None if any("\n" in cell for row in table for cell in row) else [row for row in table if row]


def stays_inside(name: str) -> bool:
    """Whether a name is a normal path to a file inside its folder, on Linux and on Windows."""
    inside = posixpath.normpath(name) == name != "." and name.split("/")[0] != ".."
    return inside and name[:1] != "/" and "\\" not in name and not ntpath.splitdrive(name)[0]


def performances(data: bytes, columns: tuple[str, ...], splits: tuple[str, ...]) -> list[tuple[str, ...]] | None:
    """The cells of `columns` in each row of an info.csv, by midi_filename; None if it must be rejected."""
    try:
        table = rows(data.decode().removeprefix("\ufeff"))
    except UnicodeDecodeError:
        return None
    if not table or any(ord(char) < 32 and char != "\t" for row in table for cell in row for char in cell + "\t"):
        return None
    limit = min(1_000, csv.field_size_limit())
    if any("\x7f" in cell or len(part) > limit for row in table for cell in row for part in cell.split(",")):
        return None
    header, *body = [row for row in ([cell.strip() for cell in row] for row in table) if any(row)] or [[]]
    if any(header.count(column) != 1 for column in columns) or any(len(row) != len(header) for row in body):
        return None
    found = [tuple(dict(zip(header, row, strict=True))[column] for column in columns) for row in body]
    for identifier, _, _, name, split in found:
        if not identifier or not stays_inside(name) or split not in splits:
            return None
    unique = all(len({row[i] for row in found}) == len(found) for i in (0, 3))
    return sorted(found, key=lambda row: row[3]) if unique else None


Arrays = list[NDArray[np.float64]]


def rtneural(data: bytes) -> list[tuple[str, Arrays]]:
    """Layers that RTNeural's parseJson<float> reads from a file (docs/export-format.md), activations separately.

    Raises an error where RTNeural would throw, crash, or use values that are not in the file.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs), "duplicate keys are not specified"
        return dict(pairs)

    document = json.loads(data.decode(), object_pairs_hook=unique)
    size = _last(document["in_shape"])
    layers: list[tuple[str, Arrays]] = []
    for layer in document["layers"]:
        out, kind, weights = _last(layer["shape"]), layer["type"], layer["weights"]
        assert kind in ("dense", "lstm", "gru", "activation"), "ignored by RTNeural, or not a layer of this project"
        if kind == "dense":
            layers.append((kind, [_fill((size, out), weights[0]), _vector(out, weights[1])]))
        elif kind != "activation":
            width = out * {"lstm": 4, "gru": 3}[kind]
            bias = _vector(width, weights[2]) if kind == "lstm" else _fill((2, width), weights[2])
            layers.append((kind, [_fill((size, width), weights[0]), _fill((out, width), weights[1]), bias]))
        if kind in ("dense", "activation") and layer.get("activation", "") != "":
            assert layer["activation"] in ("tanh", "relu", "sigmoid", "softmax", "elu"), "crashes"
            layers.append((layer["activation"], []))
        assert kind != "activation" or out == size, "an activation has the size of its input"
        size = out
    assert layers, "crashes without layers"
    return layers


def _last(shape: Any) -> int:
    assert isinstance(shape, list)
    assert len(shape) == 3
    assert type(shape[-1]) is int
    assert 0 < shape[-1] < 2**31
    return int(shape[-1])


def _vector(size: int, values: list[Any]) -> NDArray[np.float64]:
    filled: NDArray[np.float64] = _fill((1, size), [values])[0]
    return filled


def _fill(shape: tuple[int, int], rows: list[list[Any]]) -> NDArray[np.float64]:
    filled = np.full(shape, np.nan)
    for i, row in enumerate(rows):
        assert isinstance(row, list)
        for j, number in enumerate(row):
            assert type(number) in (int, float), "not a number"
            filled[i, j] = number
    with np.errstate(over="ignore"):
        assert np.isfinite(filled.astype(np.float32)).all(), "missing, or infinite in float32"
    return filled


Note = tuple[int, int, int, int, bool, int]  # onset and duration in ticks, pitch, velocity, is_drum, track


def bars(notes: list[Note], ticks_per_quarter: int) -> dict[int, list[tuple[int, Fraction, int]]]:
    """The notes of each 4/4 bar: (position 0..15, offset in half sixteenths, velocity), by exact arithmetic."""
    hits = defaultdict(list)
    for onset, _, _, velocity, *_ in notes:
        sixteenth = Fraction(4 * onset, ticks_per_quarter)
        nearest = (sixteenth + Fraction(1, 2)).__floor__()
        hits[nearest // 16].append((nearest % 16, 2 * (sixteenth - nearest), velocity))
    return dict(hits)
