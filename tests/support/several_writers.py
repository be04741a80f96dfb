"""Processes that write and read one file or folder at the same time, for tests/runtime/test_atomic.py.

`python -m support.several_writers file FOLDER 600` does so for ten minutes and prints the counts.
"""

import multiprocessing
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from kelly.runtime.atomic import replacing, replacing_folder

NUM_WRITERS, NUM_READERS = 8, 4
MAX_BYTES = 200_000
NAMES = ("a", "b")


def content(rng: random.Random) -> bytes:
    """A length, and as many equal bytes."""
    size = rng.randrange(MAX_BYTES)
    return f"{size:08}".encode() + bytes([rng.randrange(256)]) * size


def is_whole(found: bytes) -> bool:
    """Whether this is what `content` returned."""
    return len(found) == 8 + int(found[:8]) and len(set(found[8:])) <= 1


def write_file(path: Path, rng: random.Random) -> str:
    """Write a file in two pieces."""
    data = content(rng)
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(data[: len(data) // 2])
        file.flush()
        file.write(data[len(data) // 2 :])
    return "written"


def read_file(path: Path, _: random.Random) -> str:
    """Whether the file is whole."""
    return "read" if is_whole(path.read_bytes()) else "torn"


def write_folder(path: Path, rng: random.Random) -> str:
    """Write a folder of two equal files."""
    data = content(rng)
    with replacing_folder(path) as temporary:
        for name in NAMES:
            (temporary / name).write_bytes(data)
    return "written"


def read_folder(path: Path, _: random.Random) -> str:
    """Whether the files of the folder are equal, unless it is replaced meanwhile."""
    try:
        folder = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return "missing"
    try:
        found = [os.open(name, os.O_RDONLY, dir_fd=folder) for name in NAMES]
    except FileNotFoundError:
        return "removed"
    finally:
        os.close(folder)
    contents = []
    for number in found:
        with os.fdopen(number, "rb") as file:
            contents.append(file.read())
    return "read" if contents[0] == contents[1] and is_whole(contents[0]) else "torn"


def repeat(action: Callable[[Path, random.Random], str], path: Path, seed: int, seconds: float) -> Counter[str]:
    """Do one action again and again; count what it returned, or raised."""
    rng, counts, end = random.Random(seed), Counter[str](), time.monotonic() + seconds
    while not counts or time.monotonic() < end:
        try:
            counts[action(path, rng)] += 1
        except Exception as error:
            counts[repr(error)] += 1
    return counts


def compete(kind: str, path: Path, seconds: float) -> Counter[str]:
    """Let eight processes write and four read `path` at the same time; how often what happened."""
    write, read = {"file": (write_file, read_file), "folder": (write_folder, read_folder)}[kind]
    write(path, random.Random(0))
    actions = [write] * NUM_WRITERS + [read] * NUM_READERS
    with ProcessPoolExecutor(len(actions), multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(repeat, action, path, i, seconds) for i, action in enumerate(actions)]
        return sum((future.result() for future in futures), Counter[str]())


if __name__ == "__main__":
    print(dict(compete(sys.argv[1], Path(sys.argv[2]) / "target.bin", float(sys.argv[3]))))
    print("left over:", sorted(path.name for path in Path(sys.argv[2]).iterdir()))
