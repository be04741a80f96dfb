"""Kills the pipeline at random times and compares the final outputs with those of an uninterrupted run.

`python tests/kill_anywhere.py --kills 200` runs a long campaign; tests/training/test_kill_anywhere.py a short one.
After every kill each file must be complete; in the end every output must have the bytes of the uninterrupted run.
"""

import argparse
import csv
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image
from support.clone import Clone, choose, kill
from support.published_layouts import write_midi_folder

from kelly.pipeline import dvc_files

MODELS = ("groovepredictor", "emotionrecognizer", "dynamicsengine")  # feed-forward, recurrent, from files
NUM_FILES = 160  # five chunks
SETTINGS = {
    "epochs: 50 ": "epochs: 30 ",
    "num_sequences: 12500}": "num_sequences: 400}",
    "num_sequences: 12500, num_frames: 8": "num_sequences: 80, num_frames: 4",
}
GENERATED = ("data", "trained_models", "metrics", "out", ".dvc/cache", ".dvc/tmp", "dvc.lock")
COMMANDS = ("repro", "exp", "train_all_models.py")
MAX_KILLS = 4  # of one run
TEMPORARY = (".partial", ".former")


def make_clone(project: Path, folder: Path) -> Clone:
    """A copy of the project with small settings, where DynamicsEngine is trained on a folder of MIDI files."""
    clone = Clone(project, folder, SETTINGS)
    write_midi_folder(folder / "music", NUM_FILES, labels=False)
    data = "models.dynamicsengine.data"
    choose(folder, {f"{data}.source": "midi", f"{data}.midi.path": "music"})
    with (folder / ".gitignore").open("a") as ignore_file:
        ignore_file.write("/music/\n")
    clone.commit()
    return clone


def outputs(folder: Path) -> Iterable[Path]:
    """All files that a run generated, without locks."""
    for name in ("data", "trained_models", "metrics", "out", "dvc.lock"):
        path = folder / name
        files = [path] if path.is_file() else path.rglob("*")
        yield from (file for file in files if file.is_file() and file.suffix != ".lock")


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of every output."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in outputs(folder)}


def incomplete(folder: Path) -> list[str]:
    """The outputs that are truncated or damaged."""
    return [str(path) for path in outputs(folder) if not is_temporary(path) and not is_complete(path)]


def is_temporary(path: Path) -> bool:
    """Whether a file has the temporary name of an atomic write."""
    return any(word in part for part in path.parts for word in TEMPORARY if part.startswith("."))


def is_complete(path: Path) -> bool:
    """Whether a file can be read to its end."""
    try:
        match path.suffix:
            case ".json":
                json.loads(path.read_bytes())
            case ".npy":
                np.load(path)
            case ".pt":
                with zipfile.ZipFile(path) as archive:
                    return archive.testzip() is None
            case ".csv":
                rows = list(csv.reader(path.read_text().splitlines()))
                return len({len(row) for row in rows}) == 1 and path.read_text().endswith("\n")
            case ".png":
                Image.open(path).verify()  # all chunks are present and match their checksums
            case _:
                return path.name == "dvc.lock" or bool(path.read_text().endswith("\n"))
    except (ValueError, EOFError, OSError, SyntaxError, zipfile.BadZipFile):  # SyntaxError: a PNG
        return False
    return True


class Trial:
    """One command that runs the pipeline for one network, and resumes it after a kill."""

    def __init__(self, clone: Clone, name: str, model: str) -> None:
        self.clone, self.name, self.model = clone, name, model
        self.num_repaired = 0

    def command(self) -> list[str]:
        """The command that starts or resumes the run."""
        match self.name:
            case "repro":
                return ["dvc", "repro", f"evaluate@{self.model}"]
            case "exp":
                return ["dvc", "exp", "run", "-S", "learning_rate=0.002", f"evaluate@{self.model}"]
        latest = self.clone.folder / f"out/checkpoints/{self.model}_latest.pt"
        resume = ["--resume", "all"] if latest.exists() else []
        return [sys.executable, "train_all_models.py", "-o", "out", "--models", self.model, *resume]

    def clear(self) -> None:
        """Remove everything generated."""
        for name in GENERATED:
            path = self.clone.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        self.clone.run("git", "checkout", "-q", ".")

    def repair(self) -> None:
        """Repair DVC's files, as `kelly repro` does, and remove git's lock, as it tells the user to."""
        self.num_repaired += len(dvc_files.repair(self.clone.folder))
        (self.clone.folder / dvc_files.INDEX_LOCK).unlink(missing_ok=True)

    def uninterrupted(self) -> tuple[dict[str, bytes], float]:
        """The outputs of an uninterrupted run, and its duration in seconds."""
        self.clear()
        start = time.monotonic()
        self.clone.run(*self.command())
        return contents(self.clone.folder), time.monotonic() - start

    def kill_and_resume(self, rng: random.Random, seconds: float, max_kills: int) -> tuple[list[float], list[str]]:
        """Kill at random times, `max_kills` times or until a run ends first; then run to the end.

        seconds: duration of an uninterrupted run. Returns the times of the kills, and the faults found after them.
        """
        self.clear()
        kill_times: list[float] = []
        faults: list[str] = []
        while len(kill_times) < max_kills:
            self.repair()
            started = self.clone.start(*self.command())
            kill_time = rng.uniform(0.0, seconds)
            try:
                printed, _ = started.communicate(timeout=kill_time)
            except subprocess.TimeoutExpired:
                kill(started)
                kill_times.append(kill_time)
                faults += [
                    f"{path} is incomplete after a kill at {kill_time:.3f} s" for path in incomplete(self.clone.folder)
                ]
                continue
            if started.returncode:
                faults.append(f"exit {started.returncode} after kills at {kill_times}: {printed}")
            break
        self.repair()
        self.clone.run(*self.command())
        return kill_times, faults


def campaign(trial: Trial, num_kills: int, seed: int) -> tuple[int, int, list[str]]:
    """Kill `num_kills` times. Returns the number of kills, how many ended in the same bytes, and all faults."""
    expected, seconds = trial.uninterrupted()
    rng = random.Random(seed)
    kills = same = 0
    faults: list[str] = []
    while kills < num_kills:
        kill_times, new_faults = trial.kill_and_resume(rng, seconds, rng.randint(1, min(MAX_KILLS, num_kills - kills)))
        actual = contents(trial.clone.folder)
        new_faults += [
            f"{name} differs"
            for name in sorted(actual.keys() | expected.keys())
            if actual.get(name) != expected.get(name)
        ]
        kills += len(kill_times)
        same += 0 if new_faults else len(kill_times)
        faults += [f"{trial.name} {trial.model}, killed at {kill_times}: {fault}" for fault in new_faults]
    return kills, same, faults


def main() -> None:
    """Run campaigns in a temporary copy of the project and print the counts; exit 1 if there is any fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="total number (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the times (%(default)s)")
    parser.add_argument("--commands", nargs="+", default=list(COMMANDS), choices=COMMANDS, help="(%(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clone = make_clone(Path(__file__).parents[1], Path(folder))
        trials = [Trial(clone, name, model) for name in arguments.commands for model in MODELS]
        kills = same = 0
        faults: list[str] = []
        for i, trial in enumerate(trials):
            num_kills = (arguments.kills - kills) // (len(trials) - i)
            result = campaign(trial, num_kills, arguments.seed + i)
            print(
                f"{trial.name} {trial.model}: {result[0]} kills, {result[1]} ended in the same bytes; "
                f"DVC files repaired: {trial.num_repaired}",
                flush=True,
            )
            kills, same, faults = kills + result[0], same + result[1], faults + result[2]
    print(f"{kills} kills, {same} ended in the same bytes as an uninterrupted run")
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
