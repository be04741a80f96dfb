"""Kills the pipeline again and again at random instants and compares what comes out in the end with an unbroken run.

`python tests/kill_anywhere.py --kills 200` tries it by hand; tests/training/test_kill_anywhere.py does it ten times. After every
kill each file must be whole; when the last run has ended, every output must hold the same bytes as the unbroken run's.
"""

import argparse
import csv
import json
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from support.clone import Clone, choose, kill
from support.published_layouts import write_midi_folder

from kelly.pipeline import dvc_files

MODELS = ("groovepredictor", "emotionrecognizer", "dynamicsengine")  # without a memory, with one, from files
NUM_FILES = 160  # five chunks
SETTINGS = {
    "epochs: 50 ": "epochs: 30 ",
    "num_sequences: 12500, seed": "num_sequences: 400, seed",
    "num_sequences: 12500, num_frames: 8": "num_sequences: 80, num_frames: 4",
}
MADE = ("data", "trained_models", "metrics", "out", ".dvc/cache", ".dvc/tmp", "dvc.lock")
WAYS = ("repro", "exp", "train_all_models.py")
MAX_KILLS = 4  # before a run may go on to its end
LEFT_BEHIND = (".partial", ".former")


def a_clone(project: Path, folder: Path) -> Clone:
    """A copy of the project with small settings, in which DynamicsEngine learns from a folder of MIDI files."""
    clone = Clone(project, folder, SETTINGS)
    write_midi_folder(folder / "music", NUM_FILES, labels=False)
    data = "models.dynamicsengine.data"
    choose(folder, {f"{data}.source": "midi", f"{data}.midi.path": "music"})
    with (folder / ".gitignore").open("a") as ignored:
        ignored.write("/music/\n")
    clone.commit()
    return clone


def exact(value: Any) -> str:
    """Every bit of nested values and tensors, as text."""
    if isinstance(value, torch.Tensor):
        return f"{value.dtype} {tuple(value.shape)} {value.numpy().tobytes().hex()}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {exact(part)}" for key, part in sorted(value.items(), key=str)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(exact(part) for part in value) + "]"
    return repr(value)


def outputs(folder: Path) -> Iterable[Path]:
    """Every file that a run made, locks excepted."""
    for made in ("data", "trained_models", "metrics", "out", "dvc.lock"):
        path = folder / made
        files = [path] if path.is_file() else path.rglob("*")
        yield from (file for file in files if file.is_file() and file.suffix != ".lock")


def contents(folder: Path) -> dict[str, bytes | str]:
    """What every output holds. Of a latest checkpoint the values are compared, not how pickle ordered them."""
    found: dict[str, bytes | str] = {}
    for path in outputs(folder):
        name = path.relative_to(folder).as_posix()
        found[name] = exact(torch.load(path)) if name.endswith("_latest.pt") else path.read_bytes()
    return found


def broken(folder: Path) -> list[str]:
    """The outputs that are not whole."""
    return [str(path) for path in outputs(folder) if not left_behind(path) and not is_whole(path)]


def left_behind(path: Path) -> bool:
    """Whether a file is one that was being written, under its temporary name."""
    return any(word in part for part in path.parts for word in LEFT_BEHIND if part.startswith("."))


def is_whole(path: Path) -> bool:
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
                return png_is_whole(path.read_bytes())
            case _:
                return path.name == "dvc.lock" or bool(path.read_text().endswith("\n"))
    except (ValueError, EOFError, OSError, zipfile.BadZipFile):
        return False
    return True


def png_is_whole(data: bytes) -> bool:
    """Whether the chunks of a PNG are all there and match their checksums (PNG specification, 5.3)."""
    at = 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind_and_content = data[at + 4 : at + 8 + length]
        if data[at + 8 + length : at + 12 + length] != struct.pack(">I", zlib.crc32(kind_and_content)):
            return False
        if kind_and_content[:4] == b"IEND":
            return True
        at += 12 + length
    return False


class Trial:
    """One way to run the pipeline for one network: how it is begun, and how it is begun again after a kill."""

    def __init__(self, clone: Clone, way: str, model: str) -> None:
        self.clone, self.way, self.model = clone, way, model
        self.mended = 0

    def command(self) -> list[str]:
        """What a user types to begin, or to go on."""
        match self.way:
            case "repro":
                return ["dvc", "repro", f"evaluate@{self.model}"]
            case "exp":
                return ["dvc", "exp", "run", "-S", "learning_rate=0.002", f"evaluate@{self.model}"]
        latest = self.clone.folder / f"out/checkpoints/{self.model}_latest.pt"
        resume = ["--resume", "all"] if latest.exists() else []
        return [sys.executable, "train_all_models.py", "-o", "out", "--models", self.model, *resume]

    def clear(self) -> None:
        """Remove all that was made, so that the next run is the first."""
        for name in MADE:
            path = self.clone.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        self.clone.run("git", "checkout", "-q", ".")

    def mend(self) -> int:
        """Do what `make repro` does before it calls DVC, and what it says; return how many notes were broken."""
        found = dvc_files.mend(self.clone.folder)
        (self.clone.folder / dvc_files.INDEX_LOCK).unlink(missing_ok=True)
        return len(found)

    def unbroken(self) -> tuple[dict[str, bytes | str], float]:
        """What an unbroken run makes, and how many seconds it takes."""
        self.clear()
        began = time.monotonic()
        self.clone.run(*self.command())
        return contents(self.clone.folder), time.monotonic() - began

    def kill_and_go_on(self, rng: random.Random, seconds: float, most: int) -> tuple[list[float], list[str]]:
        """Kill at random instants, `most` times or until a run ends before; then run to the end.

        seconds: how long an unbroken run takes. Returns the instants, and the outputs that a kill left half written.
        """
        self.clear()
        instants: list[float] = []
        faults: list[str] = []
        while len(instants) < most:
            self.mended += self.mend()
            started = self.clone.start(*self.command())
            instant = rng.uniform(0.0, seconds)
            try:
                printed, _ = started.communicate(timeout=instant)
            except subprocess.TimeoutExpired:
                kill(started)
                instants.append(instant)
                faults += [f"{path} is broken after a kill at {instant:.3f} s" for path in broken(self.clone.folder)]
                continue
            if started.returncode:
                faults.append(f"exit {started.returncode} after kills at {instants}: {printed}")
            break
        self.mended += self.mend()
        self.clone.run(*self.command())
        return instants, faults


def campaign(trial: Trial, num_kills: int, seed: int) -> tuple[int, int, list[str]]:
    """Kill `num_kills` times in all: how many kills, how many ended in the same bytes, and what was wrong."""
    expected, seconds = trial.unbroken()
    rng = random.Random(seed)
    tried = same = 0
    faults: list[str] = []
    while tried < num_kills:
        instants, found = trial.kill_and_go_on(rng, seconds, rng.randint(1, min(MAX_KILLS, num_kills - tried)))
        made = contents(trial.clone.folder)
        found += [
            f"{name} differs" for name in sorted(made.keys() | expected.keys()) if made.get(name) != expected.get(name)
        ]
        tried += len(instants)
        same += 0 if found else len(instants)
        faults += [f"{trial.way} {trial.model}, killed at {instants}: {fault}" for fault in found]
    return tried, same, faults


def main() -> None:
    """Run campaigns in a temporary copy of the project and print their figures; exit 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="in all (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the instants (%(default)s)")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS, help="(%(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clone = a_clone(Path(__file__).parents[1], Path(folder))
        trials = [Trial(clone, way, model) for way in arguments.ways for model in MODELS]
        tried = same = 0
        faults: list[str] = []
        for i, trial in enumerate(trials):
            wanted = (arguments.kills - tried) // (len(trials) - i)
            figures = campaign(trial, wanted, arguments.seed + i)
            print(
                f"{trial.way} {trial.model}: {figures[0]} kills, {figures[1]} ended in the same bytes; "
                f"notes of DVC's that were mended: {trial.mended}",
                flush=True,
            )
            tried, same, faults = tried + figures[0], same + figures[1], faults + figures[2]
    print(f"{tried} kills, {same} ended in the same bytes as an unbroken run")
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
