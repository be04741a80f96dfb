"""Measure the pipeline: `python -m benchmarks`, or `make bench`.

Writes benchmarks/results.json and the tables in docs/performance.md. Training is measured on the pipeline's data:
run the pipeline first.
"""

import argparse
import os
import platform
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import torch

from benchmarks import components, extraction, scale, stages, training
from benchmarks.measure import rounded
from benchmarks.tables import tables
from kelly.commands.results import replace_between
from kelly.runtime.atomic import write_text
from kelly.runtime.console import run

RESULTS, PAGE = Path("benchmarks/results.json"), Path("docs/performance.md")
BEGIN, END = "<!-- measured by `make bench`, do not edit -->", "<!-- end of what is measured -->"
SUITES: Mapping[str, Callable[[int], dict[str, Any]]] = {
    "training": training.measure,
    "components": components.measure,
    "scale": scale.measure,
    "stages": stages.measure,
}


def main() -> None:
    """Run the selected suites and update results and tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the pipeline.")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"{', '.join(SUITES)} (all)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of alternating runs (%(default)s)")
    parser.add_argument("--midi", type=Path, help="also measure the extraction of this folder of MIDI files with drums")
    args = parser.parse_args()
    if unknown := set(args.suites) - SUITES.keys():
        parser.error(f"unknown suite {', '.join(sorted(unknown))}; expected {', '.join(SUITES)}")
    suites = {name: suite for name, suite in SUITES.items() if not args.suites or name in args.suites}
    if args.midi is not None:
        suites["extraction"] = partial(extraction.measure, args.midi)
    results = orjson.loads(RESULTS.read_bytes()) if RESULTS.exists() else {}
    for name, measure in suites.items():
        metadata = {"rounds": args.rounds, "measured": f"{datetime.now(UTC):%Y-%m-%d}"}
        results[name] = rounded(measure(args.rounds)) | metadata
        results["machine"] = machine()
        # After each suite, so that a later one that fails loses nothing.
        write_text(RESULTS, orjson.dumps(results, option=orjson.OPT_INDENT_2).decode() + "\n")
    replace_between(PAGE, BEGIN, END, tables(results))


def machine() -> dict[str, Any]:
    """Describe processor, system and versions."""
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
