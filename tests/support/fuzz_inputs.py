"""Inputs for fuzzing the readers: small valid files, and mutations that keep enough of their structure."""

import json
import os
import random
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parents[1] / "golden"
GROOVE = Path(os.environ.get("KELLY_GROOVE_PATH", "../shared/data/groove"))
LONGEST_REAL = 3_000  # bytes

END = b"\x00\xff\x2f\x00"

# Fragments that are significant in each format, to be inserted as they are.
PIECES = {
    "midi": [
        b"MTrk\0\0\0\4" + END, b"MThd", END, b"\0\xff\x51\3\7\xa1\x20", b"\0\xff\x51\3\0\0\1", b"\0\xff\x51\3\0\0\0",
        b"\0\xff\x51\x80\3\7\xa1\x20", b"\0\xff\x58\4\4\2\x18\x08", b"\0\xff\x58\4\3\x20\x18\x08", b"\0\xff\x01\2ab",
        b"\x10\xff\x60\1a", b"\0\xf0\2\1\xf7", b"\0\xf7\2\x90\x3c", b"\0\x90\x3c\x40", b"\x10\x80\x3c\0", b"\x10\x3c\0",
        b"\x83\x60\x99\x26\x50", b"\x81\x70\x99\x26\0", b"\xff\xff\xff\x7f", b"\x80\x80\x80\x80\0", b"\0\xc0\5",
        b"\0\xb0\x7b\0", b"\0\xe0\0\x40", b"\0\xf8", b"\0\xf1\1", b"\x80\0", b"\xff", b"\0\xff\x59\2\xf8\1",
    ],
    "csv": [
        b'"', b'""', b",", b"\n", b"\r", b"\r\n", b"\0", b"\xef\xbb\xbf", b"\xff", b"../", b"/", b"\\", b"C:", b"./",
        b"a.mid", b"train", b"\tdev", b'"a\nb"', b"split", b"id,", b"x" * 2_000, b" ", "\u00e9\u2028".encode(), b"CON",
    ],
    "json": [
        b"[", b"]", b"{", b"}", b",", b'"layers":[],', b'"in_shape":[1,1,2],', b'"type":"dense",', b"null", b"true",
        b"NaN", b"1e40", b"1e-50", b"-0", b"1e400", b"3.4028235e38", b"3.4028236e38", b"18446744073709551616", b"2.0",
        b"[" * 1_100, b'"\\ud800"', b"\xef\xbb\xbf", b'"softmax"', b'"activation":"",', b'"lstm"', b"1" * 400,
    ],
}  # fmt: skip

VALUES: list[Any] = [
    None, True, False, 0, 1, 2, 3, 4, -1, 2.0, 1e40, 3e38, 1e30, 3.4028235e38, 2**31, 2**53 + 1, 2**64, 10**400, "",
    "tanh", "softmax", "elu", "relu", "dense", "lstm", "gru", "activation", "prelu", "1", [], {}, [[]], [None, None, 2],
    [None, None, 1], [1, 2], [[1, 2], [3, 4]],
]  # fmt: skip


def track(*events: bytes) -> bytes:
    """A track chunk of events that each begin with their delta time."""
    body = b"".join(events)
    return b"MTrk" + len(body).to_bytes(4, "big") + body


def smf(*chunks: bytes, kind: int = 1, num_tracks: int | None = None, division: int = 480) -> bytes:
    """A MIDI file of these chunks; num_tracks: a wrong number for the header."""
    count = sum(chunk[:4] == b"MTrk" for chunk in chunks) if num_tracks is None else num_tracks
    return b"MThd\0\0\0\6" + b"".join(n.to_bytes(2, "big") for n in (kind, count, division)) + b"".join(chunks)


def beats(*velocities: int, channel: int = 9, running: bool = True) -> bytes:
    """One hit per sixteenth at 480 ticks per quarter, each lasting half of it."""
    on, off = bytes([0x90 + channel]), bytes([0x80 + channel])
    hits = [
        (b"" if running and i else on) + bytes([38, velocity]) + b"\x3c" + (b"" if running else off) + bytes([38, 0])
        for i, velocity in enumerate(velocities)
    ]
    return b"\0" + b"\x3c".join(hits)


def quarters(channel: int, chords: list[list[int]]) -> bytes:
    """One chord per quarter at 480 ticks per quarter, each lasting 300 ticks and louder than the one before."""
    events = b""
    for i, pitches in enumerate(chords):
        on = [bytes([0x90 + channel, pitch, 40 + 4 * i]) for pitch in pitches]
        off = [bytes([0x80 + channel, pitch, 0]) for pitch in pitches]
        events += (b"\x81\x34" if i else b"\0") + b"\0".join(on) + b"\x82\x2c" + b"\0".join(off)
    return events


def seeds(reader: str) -> list[bytes]:
    """Small valid files."""
    return {"midi": _midi_seeds, "csv": _csv_seeds, "json": _json_seeds}[reader]()


def real(reader: str) -> list[bytes]:
    """Small real files: golden networks, and the Groove MIDI Dataset if available."""
    if reader == "csv":
        lines = (GROOVE / "info.csv").read_bytes().splitlines(True)[:20] if (GROOVE / "info.csv").exists() else []
        return [b"".join(lines)] if lines else []
    paths = sorted(GOLDEN.glob("*.json") if reader == "json" else GROOVE.rglob("*.mid"))
    return [path.read_bytes() for path in paths if path.stat().st_size < LONGEST_REAL][:40]


def _midi_seeds() -> list[bytes]:
    conductor = track(b"\0\xff\x51\3\7\xa1\x20", b"\0\xff\x58\4\4\2\x18\x08", b"\x87\x40\xff\x51\3\4\x93\xe0", END)
    piano = track(b"\0\xc0\5", b"\0\x90\x3c\x40\x20\x40\x41\x20\x3c\0\x20\x40\0", b"\0\xb0\x40\x7f", END)
    nested = track(b"\0\x99\x26\x40\x10\x26\x50\x10\x26\0\x10\x26\0", END)
    tune = [[pitch] for pitch in (60, 64, 62, 65, 59, 62, 64, 67, 65, 69, 67, 71, 72, 67, 64, 60)]
    chords = [[root, root + 4, root + 7] for root in (48, 53, 55, 48, 45, 50, 55, 48) * 2]
    melody = track(b"\0\xff\3\6Melody", quarters(0, tune), END)
    hits = b"\x0a" + beats(90, 50, 70, 50, 80, 40, 60, 50)[1:]
    extras = track(b"\0\xff\3\2ab", b"\0\xf0\2\1\xf7", b"\5\xff\x7f\1a", beats(9, 99), END)
    return [
        smf(track(beats(50, 60, 70, 80), END), kind=0),
        smf(conductor, track(beats(*range(20, 52), running=False), END)),
        smf(conductor, piano, nested),
        smf(b"Alen\0\0\0\3abc", extras, division=96),
        smf(conductor, melody, track(quarters(1, chords), END), track(hits, END)),
    ]


def _csv_seeds() -> list[bytes]:
    lines = ["drummer,session, id,style , bpm,beat_type, time_signature, midi_filename,audio_filename,duration, split"]
    for i, split in enumerate(("train", "validation", "test", "train")):
        lines.append(f"d1,s1,d1/s1/{i},rock/slow,120,beat,4-4,d1/s1/{i}.mid,,8.0,{split}")
    short = 'id,style,time_signature,midi_filename,split\r\n"a ""1""",b,4-4,a.mid,train\r\n'
    return ["\n".join(lines).encode(), short.encode("utf-8-sig")]


def _json_seeds() -> list[bytes]:
    def layer(kind: str, size: int, *weights: Any, **more: str) -> dict[str, Any]:
        return {"type": kind, **more, "shape": [None, None, size], "weights": list(weights)}

    def dense(activation: str) -> dict[str, Any]:
        return layer("dense", 2, [[0.5, -1], [2, 1e-3]], [0.25, 1], activation=activation)

    lstm = layer("lstm", 1, [[0.1] * 4] * 2, [[0.2] * 4], [0.3] * 4)
    gru = layer("gru", 1, [[0.1] * 3] * 2, [[0.2] * 3], [[0.3] * 3, [0.4] * 3])
    relu = layer("activation", 2, activation="relu")
    networks = [[dense("tanh")], [dense(""), relu, lstm], [gru], [dense("elu"), dense("softmax")]]
    return [
        json.dumps({"in_shape": [None, None, 2], "layers": layers, "metadata": {"model": "x"}}).encode()
        for layers in networks
    ]


def mutated(reader: str, rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """`data` after one to five mutations of its bytes or its structure."""
    change = {"midi": _change_midi, "csv": _change_csv, "json": _change_json}[reader]
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
        data = change(rng, data) if rng.random() < 0.6 else _change_bytes(rng, data, PIECES[reader], others)
    return data


def _change_bytes(rng: random.Random, data: bytes, pieces: list[bytes], others: list[bytes]) -> bytes:
    at, length = rng.randrange(len(data) + 1), min(rng.randint(1, 40), rng.randint(1, 40))
    before, after = data[:at], data[at:]
    match rng.randrange(8):
        case 0:
            return before + bytes([rng.randrange(256)]) + after[1:]
        case 1:
            return before + bytes([after[0] ^ 1 << rng.randrange(8)]) + after[1:] if after else before
        case 2:
            return before + after[length:]
        case 3:
            return before + rng.randbytes(length) + after
        case 4:
            return before + after[:length] * 2 + after[length:]
        case 5:
            return before if rng.random() < 0.3 else before + after[: -rng.randint(1, 8)]
        case 6:
            other = rng.choice(others)
            return before + other[rng.randrange(len(other)) :]
        case _:
            return before + rng.choice(pieces) + after


def _change_midi(rng: random.Random, data: bytes) -> bytes:
    """Change the contents of a track and correct its length, or change a field of the header."""
    if len(data) < 14 or rng.random() < 0.15:
        field, value = rng.choice((8, 10, 12)), rng.choice((0, 1, 2, 3, 96, 480, 0x7FFF, 0x8000, 0xE728, 0xFFFF))
        return data[:field] + value.to_bytes(2, "big") + data[field + 2 :]
    chunks, position = [], 14
    while position + 8 <= len(data):
        end = position + 8 + int.from_bytes(data[position + 4 : position + 8], "big")
        chunks.append((data[position : position + 4], data[position + 8 : end]))
        position = end
    if not chunks:
        return data
    i = rng.randrange(len(chunks))
    name, body = chunks[i]
    tail = END if body.endswith(END) else b""
    body = _change_bytes(rng, body.removesuffix(tail), PIECES["midi"], [END]) + tail
    chunks[i : i + 1] = [(name, body)] * rng.choice((1, 1, 1, 1, 1, 1, 0, 2))
    written = b"".join(name + len(body).to_bytes(4, "big") + body for name, body in chunks)
    count = len([name for name, _ in chunks if name == b"MTrk"]).to_bytes(2, "big")
    return data[:10] + count + data[12:14] + written


def _change_csv(rng: random.Random, data: bytes) -> bytes:
    """Change a cell of a row, or repeat, drop or move one."""
    lines = [line.split(b",") for line in data.split(b"\n")]
    row = rng.choice(lines)
    i, j = rng.randrange(len(row)), rng.randrange(len(row))
    match rng.randrange(6):
        case 0:
            row[i] = rng.choice(PIECES["csv"])
        case 1:
            row[i] = rng.choice(PIECES["csv"]) + row[i]
        case 2:
            row[i] = b'"' + row[i].replace(b'"', b'""') + b'"'
        case 3:
            row[i], row[j] = row[j], row[i]
        case 4:
            del row[i]
        case _:
            lines.append([*row[:i], row[i] + b"x", *row[i + 1 :]])
    return b"\n".join(b",".join(line) for line in lines)


def _change_json(rng: random.Random, data: bytes) -> bytes:
    """Change a node of the document: replace, delete, duplicate, rename or wrap it."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data
    places: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting:
        node = waiting.pop()
        keys = range(len(node)) if isinstance(node, list) else list(node) if isinstance(node, dict) else ()
        places += [(node, key) for key in keys]
        waiting += [node[key] for key in keys]
    if not places:
        return data
    node, key = rng.choice(places)
    match rng.randrange(6):
        case 0 | 1:
            node[key] = rng.choice(VALUES)
        case 2:
            del node[key]
        case 3 if isinstance(node, list):
            node.insert(key, node[key])
        case 3:
            node[rng.choice(("type", "activation", "shape", "weights", "x"))] = node[key]
        case 4:
            node[key] = [node[key]]
        case _:
            other, elsewhere = rng.choice(places)
            node[key] = json.loads(json.dumps(other[elsewhere]))
    return json.dumps(document).encode()
