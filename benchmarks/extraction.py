"""How fast MIDI files become data, and in how much memory: `python -m benchmarks.extraction PATH --files 100000`.

Writes variations of the MIDI files in PATH (velocities moved by up to 10) and generates GroovePredictor's data from
them: PATH's files with one process and with one per core, alternating, then all variations. Memory is the proportional
set size of all processes, sampled every half second.
"""

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import symusic
from tqdm import tqdm

from benchmarks.measure import alternate, spread
from benchmarks.processes import Run, run, tree_pss

SAMPLING_S = 0.5
SCRIPT = """
import os
os.environ["OMP_NUM_THREADS"] = "1"
import sys
from pathlib import Path
from kelly.config.params import source_settings
from kelly.sources.extraction.workers import workers
from kelly.sources.generate import generate
from kelly.tasks import TASKS
if __name__ == "__main__":
    path, num_workers, folder = sys.argv[1:]
    name = "groovepredictor"
    settings = source_settings("midi")[name] | {"path": path}
    with workers(int(num_workers)):
        dataset = generate(TASKS[name], "midi", settings, Path(folder) / name)
    print(len(dataset.sequences))
"""


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.extraction", description="Measure the reading of MIDI.")
    parser.add_argument("path", type=Path, help="a folder of MIDI files with drums")
    parser.add_argument("--files", type=int, default=10_000, help="number of variations (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of alternating runs (%(default)s)")
    parser.add_argument("--folder", type=Path, help="keep variations and data here (a temporary folder)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        files = midi_files(args.path)
        measured = rates_and_memory(files, args.rounds, folder)
        print("| files | processes | files/s (median, range) | peak memory, MB | sequences |\n|---|---|---|---|---|")
        for workers, (rates, memory) in measured.items():
            rate = spread(rates)
            cell = f"{rate['median']:.0f} ({rate['low']:.0f} to {rate['high']:.0f})"
            print(f"| {len(files):,} | {workers} | {cell} | {memory / 1e6:.0f} | |")
        workers = max(measured)
        r = extract(write_variations(files, args.files, folder / "many"), workers, folder / "data-many")
        num_sequences = int(r.output.splitlines()[-1])
        cells = [f"{args.files / r.seconds:.0f}", f"{r.peak_memory / 1e6:.0f}", f"{num_sequences:,}"]
        print(f"| {args.files:,} | {workers} | {' | '.join(cells)} |")


def measure(path: Path, rounds: int) -> dict[str, Any]:
    """Files per second and peak memory with one process and with one per core, for the MIDI files in `path`."""
    with tempfile.TemporaryDirectory() as temporary:
        files = midi_files(path)
        measured = rates_and_memory(files, rounds, Path(temporary))
    return {"files": len(files)} | {
        f"{workers} processes": {"files_per_s": spread(rates), "peak_memory_mb": memory / 1e6}
        for workers, (rates, memory) in measured.items()
    }


def midi_files(path: Path) -> list[Path]:
    """All MIDI files in a folder."""
    return sorted(file for file in path.rglob("*") if file.suffix.lower() in (".mid", ".midi"))


def rates_and_memory(files: list[Path], rounds: int, folder: Path) -> dict[int, tuple[list[float], float]]:
    """By number of processes: files per second in each round, and peak memory over all rounds in bytes."""
    copies = write_variations(files, len(files), folder / "own")
    memory = dict.fromkeys((1, psutil.cpu_count() or 1), 0.0)

    def candidate(workers: int) -> float:
        r = extract(copies, workers, folder / "data-own")
        memory[workers] = max(memory[workers], r.peak_memory)
        return r.seconds

    seconds = alternate({workers: partial(candidate, workers) for workers in memory}, rounds, "extraction")
    return {workers: ([len(files) / s for s in seconds[workers]], memory[workers]) for workers in memory}


def write_variations(files: list[Path], number: int, folder: Path) -> Path:
    """Write `number` files, each one of `files` with its velocities moved; existing ones are kept."""
    for i in tqdm(range(number), desc="variations", unit="file", disable=None):
        path = folder / f"{i // 1000:04d}" / f"{i:07d}.mid"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        score, rng = symusic.Score(files[i % len(files)]), np.random.default_rng(i)
        for track in score.tracks:
            for note in track.notes:
                note.velocity = int(np.clip(note.velocity + rng.integers(-10, 11), 1, 127))
        score.dump_midi(path)
    return folder


def extract(path: Path, workers: int, folder: Path) -> Run:
    """Generate data from `path` in a process of its own; it prints the number of sequences."""
    command = [sys.executable, "-c", SCRIPT, str(path), str(workers), str(folder)]
    return run(command, memory=tree_pss, sampling_s=SAMPLING_S)


if __name__ == "__main__":
    main()
