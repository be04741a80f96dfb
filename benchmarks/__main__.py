"""Measures the pipeline: `python -m benchmarks`, with `make bench` in front of it.

Writes benchmarks/results.json and the tables in docs/performance.md. The pipeline must have been run: training is
measured on the data that it made.
"""

import argparse
import os
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import orjson
import torch

from benchmarks.measure import rounded
from benchmarks.tables import tables
from kelly.commands import put_between
from kelly.runtime.atomic import write_text
from kelly.runtime.console import run

RESULTS, PAGE = Path("benchmarks/results.json"), Path("docs/performance.md")
BEGIN, END = "<!-- measured by `make bench`, do not edit -->", "<!-- end of what is measured -->"
SUITES = ("training", "pieces", "scale", "stages")


def main() -> None:
    """Run the suites that the command line names."""
    p = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the pipeline.")
    p.add_argument("suites", nargs="*", metavar="SUITE", help=f"some of {', '.join(SUITES)}, extraction (all)")
    p.add_argument("--rounds", type=int, default=5, help="of what takes turns (%(default)s)")
    p.add_argument("--midi", type=Path, help="a folder of MIDI files with drums, to measure their extraction")
    a = p.parse_args()
    chosen: dict[str, Callable[[int], dict[str, Any]]] = {
        name: partial(measured, name) for name in SUITES if not a.suites or name in a.suites
    }
    if a.midi is not None:
        chosen["extraction"] = partial(resolve_name("benchmarks.extraction:measure"), a.midi)
    results = orjson.loads(RESULTS.read_bytes()) if RESULTS.exists() else {}
    for name, measure in chosen.items():
        results[name] = rounded(measure(a.rounds)) | {"rounds": a.rounds, "measured": f"{datetime.now(UTC):%Y-%m-%d}"}
        results["machine"] = machine()
        # After each, so that a suite that fails later loses none of it.
        write_text(RESULTS, orjson.dumps(results, option=orjson.OPT_INDENT_2).decode() + "\n")
    put_between(PAGE, BEGIN, END, tables(results))


def measured(suite: str, rounds: int) -> dict[str, Any]:
    """What a suite finds."""
    found: dict[str, Any] = resolve_name(f"benchmarks.{suite}:measure")(rounds)
    return found


def machine() -> dict[str, Any]:
    """What it was measured on."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": names[0].partition(": ")[2] if names else platform.processor(),
        "cores": os.cpu_count(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


if __name__ == "__main__":
    run(main)
