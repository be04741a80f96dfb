"""Fuzzes a reader of users' files, guided by branch coverage; or compares the two readers of exports.

    python tests/fuzz.py midi --runs 10000
    python tests/fuzz.py json --seconds 600
    python tests/fuzz.py exports --runs 100000

Needs atheris (`pip install -e '.[fuzz]'`, Linux). The search runs in a subprocess, to detect crashes of a library and
inputs that take longer than TIMEOUT_S. Prints one line; on a failure it also prints the input, keeps it in a file and
exits with 1. tests/sources/readers/test_fuzz.py runs the same targets for seconds, without atheris.

`exports` compares what Python and the audition page's scripts make of mutated exports: accepted or rejected, the
metadata, the outputs for one input. It needs Node instead of atheris; tests/audition/test_same_verdict.py runs it for
seconds.
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
COUNTS = struct.Struct("QQQ")  # inputs started, accepted, rejected; in a file, which survives a crash


def search(reader: str, folder: Path, flags: list[str]) -> None:
    """Fuzz until libFuzzer exits. The counts are written to `folder`/counts."""
    import atheris

    sys.path.insert(0, str(PROJECT))  # the readers of this checkout, not of an installation
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
        # Most inputs that the search keeps are rejected in a new way; accepted ones are similar to the valid files.
        return mutated(reader, rng, rng.choice(others) if rng.random() < 0.5 else data, others)[:max_size]

    atheris.Setup([sys.argv[0], *flags, str(folder / "corpus")], run, custom_mutator=mutate)
    atheris.Fuzz()


def compare_exports(runs: int, seed: int) -> int:
    """Compare the two readers of exports; each disagreement is kept in a file. Returns the exit code."""
    sys.path.insert(0, str(PROJECT / "tests"))
    from support.export_fuzz import disagreements

    folder, accepted, num_failures = Path(tempfile.mkdtemp(prefix="fuzz-exports-")), 0, 0
    for done, in_batch, failures in disagreements(runs, seed):
        accepted += in_batch
        for data, difference in failures:
            path = folder / f"failed-{num_failures:06}.json"
            path.write_bytes(data)
            print(f"{path}: {difference}")
            num_failures += 1
        print(f"exports: {done} inputs, {accepted} accepted, {done - accepted} rejected, {num_failures} failures",
              end="\n" if done == runs else "\r", flush=True)  # fmt: skip
    if not num_failures:
        folder.rmdir()
    return int(num_failures > 0)


def main() -> int:
    """Run the search in a subprocess and report its result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reader", choices=(*READERS, "exports"))
    parser.add_argument("--runs", type=int, default=-1, help="number of inputs (default: no limit)")
    parser.add_argument("--seconds", type=int, default=0, help="duration (default: no limit)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--search", type=Path, help=argparse.SUPPRESS)  # in the subprocess
    arguments = parser.parse_args()
    if arguments.reader == "exports":
        if arguments.runs < 0 or arguments.seconds:
            parser.error("exports: expected --runs")
        return compare_exports(arguments.runs, arguments.seed)
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
    started, accepted, rejected = COUNTS.unpack((folder / "counts").read_bytes())
    failed = sorted(folder.glob("failed-*"))
    if code == 0:
        shutil.rmtree(folder)
    else:
        print((folder / "log").read_text(errors="replace")[-4_000:])
        for path in failed:
            print(f"{path}: {path.read_bytes().hex()}")
    failures = max(len(failed), int(code != 0))
    print(f"{arguments.reader}: {started} inputs, {accepted} accepted, {rejected} rejected, {failures} failures")
    return int(code != 0)


if __name__ == "__main__":
    raise SystemExit(main())
