"""Fuzzes a reader of users' files, guided by the branches that an input takes in it.

    python tests/fuzz.py midi --runs 10000
    python tests/fuzz.py json --seconds 600

Needs atheris (`pip install -e '.[fuzz]'`, Linux). The search runs in a process of its own, so that a crash of a library
and an input that takes longer than TIMEOUT_S are found as well. Ends with one line; on a failure it prints the input,
leaves it in a file and exits 1. tests/sources/readers/test_fuzz.py runs the same targets without atheris, for seconds.
"""

import argparse
import mmap
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parents[1]
READERS = ("midi", "csv", "json")
TIMEOUT_S = 2
MAX_INPUT_BYTES = 8_192
COUNTS = struct.Struct("QQQ")  # inputs begun, accepted, refused; in a file, to outlive a crash


def search(reader: str, folder: Path, flags: list[str]) -> None:
    """Fuzz until libFuzzer ends the process. The counts are kept in `folder`/counts."""
    import atheris

    sys.path.insert(0, str(PROJECT))  # the readers beside this file, not those of an installation
    with atheris.instrument_imports(include=["kelly"]):
        from support.fuzz_inputs import mutated, real, seeds
        from support.fuzz_targets import TARGETS
    target, others = TARGETS[reader], seeds(reader) + real(reader)
    (folder / "corpus").mkdir()
    for i, seed in enumerate(others):
        (folder / "corpus" / str(i)).write_bytes(seed)
    counts, file = [0, 0, 0], (folder / "counts").open("r+b")
    memory = mmap.mmap(file.fileno(), COUNTS.size)

    def count(i: int) -> None:
        counts[i] += 1
        memory[:] = COUNTS.pack(*counts)

    def run(data: bytes) -> None:
        count(0)
        count(1 if target(data) else 2)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < 0.2:
            return bytes(atheris.Mutate(data, max_size))
        # Most of what the search keeps is refused in a new way; what is accepted lies near the valid files.
        return mutated(reader, rng, rng.choice(others) if rng.random() < 0.5 else data, others)[:max_size]

    atheris.Setup([sys.argv[0], *flags, str(folder / "corpus")], run, custom_mutator=mutate)
    atheris.Fuzz()


def main() -> int:
    """Run the search in another process and tell what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("--runs", type=int, default=-1, help="inputs to try (default: no limit)")
    parser.add_argument("--seconds", type=int, default=0, help="time to take (default: no limit)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--search", type=Path, help=argparse.SUPPRESS)  # the other process
    arguments = parser.parse_args()
    if arguments.search:
        flags = [f"-runs={arguments.runs}", f"-max_total_time={arguments.seconds}", f"-seed={arguments.seed}"]
        flags += [
            f"-timeout={TIMEOUT_S}",
            f"-max_len={MAX_INPUT_BYTES}",
            f"-artifact_prefix={arguments.search}/failed-",
        ]
        search(arguments.reader, arguments.search, flags)
    if arguments.runs < 0 and not arguments.seconds:
        parser.error("expected --runs, --seconds or both")
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{arguments.reader}-"))
    (folder / "counts").write_bytes(bytes(COUNTS.size))
    with (folder / "log").open("wb") as log:
        command = [sys.executable, __file__, *sys.argv[1:], "--search", str(folder)]
        environment = os.environ | {"TMPDIR": str(folder)}
        code = subprocess.run(command, stdout=log, stderr=log, check=False, env=environment).returncode
    begun, accepted, refused = COUNTS.unpack((folder / "counts").read_bytes())
    failed = sorted(folder.glob("failed-*"))
    if code == 0:
        shutil.rmtree(folder)
    else:
        print((folder / "log").read_text(errors="replace")[-4_000:])
        for path in failed:
            print(f"{path}: {path.read_bytes().hex()}")
    failures = max(len(failed), int(code != 0))
    print(f"{arguments.reader}: {begun} inputs, {accepted} accepted, {refused} refused, {failures} failures")
    return int(code != 0)


if __name__ == "__main__":
    raise SystemExit(main())
