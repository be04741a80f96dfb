"""Mutated exports, and the verdicts of the two readers: kelly/rtneural in Python, the audition page's in JavaScript."""

import base64
import copy
import itertools
import json
import random
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from kelly.audition.page import FOLDER, constants
from kelly.rtneural.document import load_json
from kelly.rtneural.reader import parse
from kelly.runtime.errors import KellyError

NODE = shutil.which("node")
GOLDEN = Path(__file__).parents[1] / "golden"
BATCH = 500
TOLERANCE = 1e-9  # relative
SCRIPTS = [FOLDER / name for name in ("document.js", "rtneural.js")]
METADATA: dict[str, Any] = {
    "format_version": 1, "model": "groovepredictor", "recurrent": False, "num_parameters": 12, "seed": 42,
    "inputs": [{"positions": [0, 2], "values": [-1, 1], "meaning": "é", "decay": 0.5, "vocabulary": ["C", "N"]}],
    "outputs": [{"positions": [0, 2], "values": [0, 1]}],
    "params": {"seed": 42, "epochs": 3, "learning_rate": 1e-3},
    "data": {"source": "synthetic", "settings": {"part": "drums"}, "splitting": {"seed": 1, "shuffle_inputs": False},
             "sha256": "00", "num_train": 3, "fold": None},
    "emotion": {"valence": [-0.5, 1], "arousal": [-1, 0.25]}, "origin": "mean", "revision": None, "loss": "mse",
    "checkpoint": {"sha256": "00", "epoch": 2, "val_loss": 0.5}, "code": "a", "torch_version": "2",
    "parity_error": 1e-7,
}  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2, 3, 3.0, 0.5, -0.0, 2**31, 2**32, 2**53, 2**53 + 1, 2**63, 2**64 - 1, -(2**63),
    1e308, 3.4028235677973366e38, 3.4e38, 1e-400, "", "x", "0.5", "dense", "lstm", "gru", "activation", "tanh",
    "softmax", "𝄞",
    [], {}, [None], ["dense"], ["tanh"], [""], [0, 1], [-1, 1, 0], [None, None, 2], {"valence": [0, 1]}, "constructor",
    "__proto__", {"__proto__": {"type": "dense"}}, {"toString": 1}, [[]], [[1.0]], 65536, 65537,
]  # fmt: skip
TOKENS = [
    b"1e400", b"-1e400", b"1" + b"0" * 400, b"1" + b"0" * 5_000, b"NaN", b"Infinity", b"-Infinity", b"01", b"1.", b".5",
    b"+1", b"-", b"3.0", b"9223372036854775808", b"18446744073709551616", b'"\\ud800"', b'"\\udc00\\ud800"',
    b'"\\ud834\\udd1e"', b'"\xed\xa0\x80"', b'"\xff"', b'"\x7f"', b'"\x01"', b'"\\u0000"', b"[" * 62 + b"]" * 62,
    b"[" * 10_000 + b"]" * 10_000, b"{}", b"null", b"true", b'{"a":1,"a":2}', b'{"a":1,"\\u0061":2}',
    b'{"__proto__":1}', b'{"__proto__":1,"__proto__":2}', b'"\xe2\x80\xa8"', b"\xc2\xa0", b"\x0c", b"\x00", b"//",
    b"'a'", b",", b"]", b"}",
    b'{"a":1', b'"[{"', b'"\\""', b'"\\',
]  # fmt: skip
ENCODINGS = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "utf-7")


def originals() -> list[dict[str, Any]]:
    """Small valid exports: recurrent and dense networks and one of all kinds of layers, with metadata."""
    rng = np.random.default_rng(0)

    def layer(kind: str, shapes: list[tuple[int, ...]], **more: Any) -> dict[str, Any]:
        weights = [rng.normal(size=shape).round(2).tolist() for shape in shapes]
        return {"type": kind, "shape": [None, None, 2], "weights": weights, **more}

    layers = [
        layer("dense", [(2, 2), (2,)], activation="tanh"),
        layer("lstm", [(2, 8), (2, 8), (8,)]),
        layer("gru", [(2, 6), (2, 6), (2, 6)]),
        layer("activation", [], activation="relu"),
        layer("dense", [(2, 2), (2,)], activation="softmax"),
    ]
    head = {"in_shape": [None, None, 2]}
    small = [head | {"layers": chosen, "metadata": METADATA} for chosen in (layers[:1], layers, layers[1:4])]
    return [*small, small[0], small[0]]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each (container, key) in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in list(items):
        yield value, key
        yield from places(child)


def change_value(rng: random.Random, content: Any) -> None:
    """Replace, remove or add one value; half of the time in the metadata or next to the root."""
    candidates = list(places(content))
    if rng.random() < 0.6:
        keys = [(parent, key) for parent, key in candidates if isinstance(key, str)]
        candidates = keys or candidates
    if not candidates:
        return
    parent, key = rng.choice(candidates)
    action = rng.random()
    if action < 0.15:
        del parent[key]
    elif action < 0.25 and isinstance(parent, list):
        parent.insert(key, copy.deepcopy(rng.choice([parent[key], *VALUES])))
    elif action < 0.3 and isinstance(parent, dict):
        parent[rng.choice(["more", "__proto__", "weights", "type", "constructor"])] = copy.deepcopy(rng.choice(VALUES))
    else:
        parent[key] = copy.deepcopy(rng.choice(VALUES))


def change_bytes(rng: random.Random, data: bytes) -> bytes:
    """One error in the bytes."""
    at = rng.randrange(len(data) + 1)
    match rng.randrange(8):
        case 0:
            return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
        case 1:
            return data[:at]
        case 2:
            return data[:at] + data[at + rng.randrange(1, 9) :]
        case 3:
            return data + rng.choice([b" ", b"\n", b"\x00", b"{}", b"x", b",", b"\xef\xbb\xbf", b"\xc2\xa0"])
        case 4:
            return data.decode("utf-8", "replace").encode(rng.choice(ENCODINGS))
        case 5:
            return rng.choice([b"", b"\xef\xbb\xbf" + data, b"[" + data + b"]", b" \t\r\n" + data, b"\xff\xfe"])
        case _:  # a token in place of a number or null, or anywhere
            token = rng.choice(TOKENS)
            spots = [i for i in range(len(data)) if data[i - 1 : i] in b":[," and data[i : i + 1] not in b'[{"']
            if not spots or rng.random() < 0.2:
                return data[:at] + token + data[at:]
            start = rng.choice(spots)
            end = next((i for i in range(start, len(data)) if data[i : i + 1] in b",]}"), len(data))
            return data[:start] + token + data[end:]


def mutants(seed: int) -> Iterator[bytes]:
    """Endless mutated exports; the same seed gives the same."""
    rng, valid = random.Random(seed), originals()
    while True:
        content = copy.deepcopy(rng.choice(valid))
        for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
            change_value(rng, content)
        data = orjson.dumps(content)
        yield change_bytes(rng, data) if rng.random() < 0.4 else data


def python_verdict(data: bytes) -> dict[str, Any]:
    """What Python reads: {'error'} or {'metadata', 'outputs'}."""
    try:
        model = parse(load_json(data))
        frame = np.sin(np.arange(model.num_inputs) + 1.0)
        return {"metadata": model.metadata, "outputs": model.run(frame[None, None])[0, 0].tolist()}
    except KellyError as error:
        return {"error": str(error)}
    except Exception as error:  # a defect of the reader, reported as a disagreement
        return {"error": repr(error), "crash": True}


def page_verdicts(batch: list[bytes]) -> list[dict[str, Any]]:
    """What the page's scripts read, in Node."""
    assert NODE is not None
    script = "\n".join(path.read_text(encoding="utf-8") for path in SCRIPTS if path.exists())
    head = orjson.dumps({"script": script, "constants": constants()})
    lines = b"\n".join([head, *map(base64.b64encode, batch)]) + b"\n"
    program = str(Path(__file__).with_name("read_exports.js"))
    output = subprocess.run([NODE, program], input=lines, capture_output=True, check=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def disagreement(python: dict[str, Any], page: dict[str, Any]) -> str:
    """How two verdicts differ; '' if they do not."""
    if "crash" in python:
        return f"Python crashes: {python['error']:.200}"
    if page.get("kind", "Error") != "Error":
        return f"the page crashes: {page['error']:.200}"
    if ("error" in python) != ("error" in page):
        return f"Python: {python.get('error', 'accepted'):.200}; page: {page.get('error', 'accepted'):.200}"
    if "error" in python:
        return ""
    if not np.allclose(python["outputs"], np.array(page["outputs"], dtype=float), rtol=TOLERANCE, atol=TOLERANCE):
        return "outputs differ"
    # Through JSON once more, as numbers are doubles in JavaScript.
    return "" if same(python["metadata"], page["metadata"]) else "metadata differ"


def same(a: Any, b: Any) -> bool:
    """Whether two JSON values are equal, their numbers as doubles."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, int | float) and isinstance(b, int | float) and type(a) is not bool and type(b) is not bool:
        return float(a) == float(b)
    return type(a) is type(b) and bool(a == b)


def disagreements(runs: int, seed: int) -> Iterator[tuple[int, int, list[tuple[bytes, str]]]]:
    """After each batch: the inputs so far, how many of the batch were accepted, its disagreements."""
    source = mutants(seed)
    for start in range(0, runs, BATCH):
        batch = list(itertools.islice(source, min(BATCH, runs - start)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # overflow in outputs
            python = [python_verdict(data) for data in batch]
        differ = [disagreement(*verdicts) for verdicts in zip(python, page_verdicts(batch), strict=True)]
        accepted = sum("error" not in verdict for verdict in python)
        yield start + len(batch), accepted, [(data, text) for data, text in zip(batch, differ, strict=True) if text]
