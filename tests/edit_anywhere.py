"""Edits settings, code or data at random moments of `kelly repro`, and looks for wrong results taken as up to date.

`python tests/edit_anywhere.py --edits 30` runs a campaign. Each edit comes while a stage runs that depends on it. The
run must report it, unless the stage had not read anything yet. Once the same command has been repeated until it
succeeds, every output must have the bytes of a run that began after the edit.
"""

import argparse
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from support.clone import SMALL, Clone, choose
from support.played import DRUMS
from support.published_layouts import write_midi_folder
from support.small_pieces import compose
from tqdm import tqdm

PROJECT = Path(__file__).parents[1]
# All of it runs for these two in each trial: one from a process, one from files.
MODELS = ("groovepredictor", "dynamicsengine")
NUM_FILES = 40
START = {f"models.{name}.{key}": 60 for name in MODELS for key in ("epochs", "early_stopping_patience")} | {
    "models.groovepredictor.data.synthetic.num_sequences": 300,
    "models.dynamicsengine.data.midi.max_windows_per_piece": 50,
}
RUNNING = re.compile(r"Running stage '([\w@]+)'")
ADVICE = re.compile(r"dvc repro -f [-\w@ ]+")
MAX_RUNS = 5

Edit = Callable[[Path], object]


def settings(key: str, value: object) -> Edit:
    """Set a value in params.yaml."""
    return lambda folder: choose(folder, {key: value})


def code(name: str, before: str, after: str) -> Edit:
    """Replace text in a file."""

    def edit(folder: Path) -> None:
        text = (folder / name).read_text()
        assert before in text, f"{name} does not contain {before!r}"
        (folder / name).write_text(text.replace(before, after))

    return edit


def experiment(folder: Path) -> None:
    """`dvc exp run -S` beside the run: refused as busy or not, it writes the value into params.yaml."""
    Clone.at(folder).start(
        "dvc", "exp", "run", "-S", "models.groovepredictor.epochs=5", "train@groovepredictor"
    ).communicate()


def damage(folder: Path) -> None:
    """Overwrite an array, which the next run makes again."""
    path = folder / "data/datasets/groovepredictor/targets.npy"
    if path.exists():
        path.write_bytes(b"other")


# The stage during which it comes, and what it does; each changes a result.
EDITS: dict[str, tuple[str, Edit]] = {
    "epochs": ("train@groovepredictor", settings("models.groovepredictor.epochs", 3)),
    "learning_rate": ("train@dynamicsengine", settings("models.dynamicsengine.learning_rate", 0.01)),
    "batch_size": ("train@groovepredictor", settings("models.groovepredictor.batch_size", 16)),
    "training_seed": ("train@dynamicsengine", settings("training_seed", 7)),
    "test_split": ("split@groovepredictor", settings("test_split", 0.3)),
    "number of sequences": (
        "generate@groovepredictor",
        settings("models.groovepredictor.data.synthetic.num_sequences", 150),
    ),
    "dvc exp run beside": ("train@groovepredictor", experiment),
    "code of the data": (
        "generate@groovepredictor",
        code("kelly/sources/synthetic/groove.py", "NOISE = 0.08", "NOISE = 0.16"),
    ),
    "code of MIDI": (
        "generate@dynamicsengine",
        code("kelly/sources/music/performance.py", "loud, soft]) / 127.0", "loud, soft]) / 130.0"),
    ),
    "code of training": ("train@groovepredictor", code("kelly/training/adam.py", "beta1=0.9,", "beta1=0.5,")),
    "code of the export": (
        "export@dynamicsengine",
        code("kelly/export/export_model.py", '"revision": ', '"another": 1, "revision": '),
    ),
    "code of the scores": (
        "evaluate@groovepredictor",
        code("kelly/evaluation/bootstrap.py", "LEVEL = 0.95", "LEVEL = 0.5"),
    ),
    "a file of music": (
        "generate@dynamicsengine",
        lambda folder: shutil.copy(folder / "other.mid", folder / "music/take 3.mid"),
    ),
    "another file of music": (
        "generate@dynamicsengine",
        lambda folder: shutil.copy(folder / "other.mid", folder / "music/other.mid"),
    ),
    "an array": ("train@groovepredictor", damage),
}


class Campaign:
    """A clone in which everything is up to date, and trials that begin from copies of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.template = folder, folder / "template"
        self.template.mkdir()
        clone = Clone(PROJECT, self.template, SMALL)
        write_midi_folder(self.template / "music", NUM_FILES, labels=False)
        compose(1, num_bars=8, jitter=10).write(self.template / "other.mid", ("MELODY", "PIANO", DRUMS))
        data = "models.dynamicsengine.data"
        choose(self.template, {f"{data}.source": "midi", f"{data}.midi.path": "music"})
        clone.commit()
        clone.run("kelly", "repro")
        self.expected: dict[str, dict[str, bytes]] = {}

    def begin(self) -> Clone:
        """A copy in which the networks have no data yet."""
        folder = self.folder / "trial"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.template, folder, symlinks=True)
        choose(folder, START)
        for name in MODELS:
            shutil.rmtree(folder / f"data/datasets/{name}")
            shutil.rmtree(folder / f"data/splits/{name}")
        shutil.rmtree(folder / ".dvc/cache/runs", ignore_errors=True)
        return Clone.at(folder)

    def run_to_the_end(self, clone: Clone) -> None:
        """Repeat `kelly repro`, and what its messages advise, until it succeeds."""
        for _ in range(MAX_RUNS):
            started = clone.start("kelly", "repro")
            printed, _ = started.communicate()
            if not started.returncode:
                return
            if advice := ADVICE.search(printed):
                clone.start(*advice.group().split()).communicate()
        raise AssertionError(f"kelly repro failed {MAX_RUNS} times, in the end with:\n{printed}")

    def run_after(self, edit: str) -> dict[str, bytes]:
        """The results of a run that begins after the edit."""
        if edit not in self.expected:
            clone = self.begin()
            EDITS[edit][1](clone.folder)
            self.run_to_the_end(clone)
            self.expected[edit] = results(clone.folder)
        return self.expected[edit]

    def durations(self) -> dict[str, float]:
        """How long each stage runs, in seconds, by its name."""
        begin, durations = {}, {}
        started = self.begin().start("kelly", "repro")
        for line in started.stdout or ():
            label, _, text = line.partition("|")
            if match := RUNNING.search(text):
                begin[label] = (match.group(1), time.monotonic())
            elif "Updating lock file" in text:
                name, moment = begin[label]
                durations[name] = time.monotonic() - moment
        assert started.wait() == 0
        return durations

    def edit_during_stage(self, edit: str, seconds: float) -> tuple[int, str, list[str]]:
        """Edit `seconds` after the edit's stage began.

        Returns the exit code of the run, what it printed, and the results that are wrong in the end.
        """
        stage, change = EDITS[edit]
        expected, clone = self.run_after(edit), self.begin()
        started = clone.start("kelly", "repro")
        assert started.stdout
        printed = ""
        while f"Running stage '{stage}'" not in printed:
            line = started.stdout.readline()
            assert line, printed
            printed += line
        time.sleep(seconds)
        change(clone.folder)
        printed += started.communicate()[0]
        self.run_to_the_end(clone)
        actual = results(clone.folder)
        wrong = [name for name in sorted(actual.keys() | expected.keys()) if actual.get(name) != expected.get(name)]
        return started.returncode, printed, wrong


def results(folder: Path) -> dict[str, bytes]:
    """The bytes of data, best weights, exports, histories and scores."""
    found = {}
    for pattern in ("data/datasets/**/*", "data/splits/**/*", "trained_models/**/*", "metrics/*.json"):
        for path in folder.glob(pattern):
            if path.suffix in (".npy", ".json", ".csv") or path.name.endswith("_best.pt"):
                found[path.relative_to(folder).as_posix()] = without_revision(path)
    return found


def without_revision(path: Path) -> bytes:
    """A file's bytes; of an export without the git revision: it says whether code that it does not use is modified."""
    if path.parent.name != "trained_models":
        return path.read_bytes()
    return re.sub(rb'"(revision|sha256|size_bytes)": ?("[\w-]*"|\d+)', b"", path.read_bytes())


def main() -> None:
    """Run a campaign in a temporary copy of the project; exit 1 if an edit was not reported or a result is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=30, help="number (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (%(default)s)")
    parser.add_argument(
        "--only", nargs="+", default=list(EDITS), choices=list(EDITS), metavar="EDIT", help=", ".join(EDITS)
    )
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    count: Counter[str] = Counter()
    faults: list[str] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        campaign = Campaign(Path(folder))
        durations = campaign.durations()
        for number in tqdm(range(arguments.edits), unit="edit"):
            edit = arguments.only[number % len(arguments.only)]
            moment = rng.uniform(0, durations[EDITS[edit][0]])
            code, printed, wrong = campaign.edit_during_stage(edit, moment)
            result = "wrong" if wrong else "reported" if code else "in effect"
            count[result] += 1
            print(f"{edit}, {moment:.2f} s after {EDITS[edit][0]} began: {result}", *wrong, flush=True)
            if wrong:
                faults.append(f"{edit} after {moment:.2f} s: {wrong} wrong; printed:\n{printed}")
    in_effect = "before the stage read anything, so that they were in effect"
    print(f"{arguments.edits} edits: {count['reported']} reported, {count['in effect']} {in_effect}; "
          f"{count['wrong']} wrong results taken as up to date")  # fmt: skip
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
