"""How fast MIDI files become data, and in how much memory: `python -m benchmarks.extraction PATH --files 100000`.

Of the MIDI files in PATH it writes variations, each a file of its own (every velocity moved by up to 10), and makes
GroovePredictor's data of them: PATH's own files by one process and by one a core, in turns, and then all variations.
Memory is that of all processes together (proportional set size), sampled every half second.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import symusic
from tqdm import tqdm

from benchmarks.measure import in_turns, spread

NETWORK = """
import sys
from pathlib import Path
from kelly.sources.generate import generate
from kelly.sources.extraction.workers import workers
from kelly.config.params import source_settings
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
    """Measure, and print a table."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.extraction", description="How fast MIDI files become data.")
    p.add_argument("path", type=Path, help="a folder of MIDI files with drums")
    p.add_argument("--files", type=int, default=10_000, help="how many variations (%(default)s)")
    p.add_argument("--rounds", type=int, default=3, help="of the two runs in turns (%(default)s)")
    p.add_argument("--folder", type=Path, help="keep variations and data here (a temporary folder)")
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = a.folder or Path(temporary)
        files = midi_files(a.path)
        found = rates_and_memory(files, a.rounds, folder)
        print("| files | processes | files/s (median, range) | peak memory, MB | sequences |\n|---|---|---|---|---|")
        for workers, (rates, memory) in found.items():
            rate = spread(rates)
            told = f"{rate['median']:.0f} ({rate['low']:.0f} to {rate['high']:.0f})"
            print(f"| {len(files):,} | {workers} | {told} | {memory / 1e6:.0f} | |")
        many = write_variations(files, a.files, folder / "many")
        workers = max(found)
        seconds, peak, said = measured(many, workers, folder / "data-many")
        print(f"| {a.files:,} | {workers} | {a.files / seconds:.0f} | {peak / 1e6:.0f} | {int(said):,} |")


def measure(path: Path, rounds: int) -> dict[str, Any]:
    """Files a second by one process and by one a core, in turns, and peak memory, of the MIDI files in `path`."""
    with tempfile.TemporaryDirectory() as temporary:
        files = midi_files(path)
        found = rates_and_memory(files, rounds, Path(temporary))
    return {"files": len(files)} | {
        f"{workers} processes": {"files_per_s": spread(rates), "peak_memory_mb": memory / 1e6}
        for workers, (rates, memory) in found.items()
    }


def midi_files(path: Path) -> list[Path]:
    """All MIDI files in a folder."""
    return sorted(file for file in path.rglob("*") if file.suffix.lower() in (".mid", ".midi"))


def rates_and_memory(files: list[Path], rounds: int, folder: Path) -> dict[int, tuple[list[float], float]]:
    """By the number of processes: files a second in each round, and the peak memory of all rounds, in bytes."""
    own = write_variations(files, len(files), folder / "own")
    memory = dict.fromkeys((1, psutil.cpu_count() or 1), 0.0)

    def way(workers: int) -> float:
        seconds, peak, _ = measured(own, workers, folder / "data-own")
        memory[workers] = max(memory[workers], peak)
        return seconds

    seconds = in_turns({workers: partial(way, workers) for workers in memory}, rounds, "extraction")
    return {workers: ([len(files) / taken for taken in seconds[workers]], memory[workers]) for workers in memory}


def write_variations(files: list[Path], number: int, folder: Path) -> Path:
    """Write `number` files, each one of `files` with its velocities moved; those that are there are kept."""
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


def measured(path: Path, workers: int, folder: Path) -> tuple[float, float, str]:
    """Seconds, peak memory in bytes of all processes process_group, and what was printed, of one run."""
    start = time.perf_counter()
    command = [sys.executable, "-c", NETWORK, str(path), str(workers), str(folder)]
    process = psutil.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    peak = [0.0]
    watcher = threading.Thread(target=watch, args=(process, peak), daemon=True)
    watcher.start()
    said = process.communicate()[0]
    if process.returncode:
        sys.exit(process.returncode)
    return time.perf_counter() - start, peak[0], said


def watch(process: psutil.Popen, peak: list[float]) -> None:
    """Keep the largest sum of what a process and those that it started hold in memory."""
    while process.poll() is None:
        total = 0.0
        for one in [process, *process.children(recursive=True)]:
            try:
                total += one.memory_full_info().pss
            except psutil.Error:
                continue
        peak[0] = max(peak[0], total)
        time.sleep(0.5)


if __name__ == "__main__":
    main()
