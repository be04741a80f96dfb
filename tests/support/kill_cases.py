"""The commands that are killed: how each clone is prepared, and what is compared."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from support.clone import Clone, choose
from support.kill_outputs import Digests, ended_trials, exists, number_of_ended_trials
from support.published_layouts import write_midi_folder

from kelly.commands.results import BEGIN, END

MODELS = ("groovepredictor", "emotionrecognizer", "dynamicsengine")  # feed-forward, recurrent, from files
NUM_FILES = 160  # five chunks
SETTINGS = {
    "epochs: 50 ": "epochs: 30 ",
    "source: corpus ": "source: synthetic ",
    "num_sequences: 12500}": "num_sequences: 400}",
    "num_sequences: 12500, num_frames: 8": "num_sequences: 80, num_frames: 4",
    "num_sequences: 100000": "num_sequences: 400",
    "num_workers: -1": "num_workers: 2",
}
GROOVE = "groovepredictor"


@dataclass(frozen=True)
class Case:
    """One command.

    command: of a folder, because a resumed command may need another option
    base: a clone without outputs, or one in which `kelly repro` ran and was committed
    prepare: changes a copy of that clone once, before all runs
    digests: of the outputs that may differ from those of an unbroken run, and in what
    one_step: whether the command writes only final outputs, so that each is old or new at any time
    """

    name: str
    command: Callable[[Path], list[str]]
    base: Literal["fresh", "finished"] = "finished"
    prepare: Callable[[Clone], None] = lambda clone: None
    digests: Digests = field(default_factory=dict)
    one_step: bool = False


def fresh(project: Path, folder: Path) -> Clone:
    """A copy of the project with small settings, where DynamicsEngine is trained on a folder of MIDI files."""
    folder.mkdir(parents=True, exist_ok=True)
    clone = Clone(project, folder, SETTINGS)
    write_midi_folder(folder / "music", NUM_FILES, labels=False)
    data = "models.dynamicsengine.data"
    choose(folder, {f"{data}.source": "midi", f"{data}.midi.path": "music"})
    with (folder / ".gitignore").open("a") as ignore_file:
        ignore_file.write("/music/\n")
    clone.commit()
    return clone


def copy(source: Path, folder: Path) -> Clone:
    """A copy of a clone, without DVC's database of the times and inodes of its files."""
    ignore = shutil.ignore_patterns("__pycache__", "tmp", ".locks")
    shutil.copytree(source, folder, symlinks=True, ignore=ignore)
    return Clone.at(folder)


def finished(folder: Path, fresh_clone: Path) -> Clone:
    """A copy of a fresh clone in which the whole pipeline ran."""
    clone = copy(fresh_clone, folder)
    clone.run("kelly", "repro")
    clone.commit()
    return clone


def fixed(*command: str) -> Callable[[Path], list[str]]:
    """A command that is the same when it is repeated."""
    return lambda folder: [sys.executable, *command[1:]] if command[0] == "python" else list(command)


def train_all(model: str) -> Callable[[Path], list[str]]:
    """The command line of the training, which resumes with an option."""

    def command(folder: Path) -> list[str]:
        resume = ["--resume", "all"] if (folder / f"out/checkpoints/{model}_latest.pt").exists() else []
        return [sys.executable, "train_all_models.py", "-o", "out", "--models", model, *resume]

    return command


def other_settings(clone: Clone) -> None:
    """Other settings for two networks, as committed."""
    choose(clone.folder, {f"models.{name}.learning_rate": 0.002 for name in (GROOVE, "dynamicsengine")})
    clone.commit()


def untrained(clone: Clone) -> None:
    """Remove a network, as DVC does before it trains."""
    for path in clone.folder.glob(f"trained_models/*/{GROOVE}_*"):
        path.unlink()


def other_phrase(clone: Clone) -> None:
    """A file of another emotion, which will be replaced."""
    clone.run("kelly", "render", "phrase.mid", "--valence", "-0.5", "--arousal", "-0.5")


def other_page(clone: Clone) -> None:
    """A page that will be replaced."""
    (clone.folder / "audition.html").write_text("<title>Kelly audition</title></html>\n")


def other_table(clone: Clone) -> None:
    """A table of other results in the README."""
    path = clone.folder / "README.md"
    before, _, rest = path.read_text().partition(BEGIN)
    path.write_text(f"{before}{BEGIN}\nnone\n{END}{rest.partition(END)[2]}")


def half_written(clone: Clone) -> None:
    """Half of DVC's own files, as a kill leaves them, and no page for its plots."""
    lock = clone.folder / "dvc.lock"
    lock.write_text(lock.read_text()[: lock.stat().st_size // 2] + '\n  "')
    for name in (".dvc/plots_page.html", ".dvc/config.local"):
        (clone.folder / name).unlink(missing_ok=True)
    (clone.folder / ".dvc/tmp").mkdir(exist_ok=True)
    (clone.folder / ".dvc/tmp/rwlock").write_text('{"half')


def trained_again(clone: Clone) -> None:
    """A network of other settings in the workspace."""
    choose(clone.folder, {f"models.{GROOVE}.learning_rate": 0.002})
    clone.dvc("repro", f"evaluate@{GROOVE}")


SEARCH = ("kelly", "search", "--model", GROOVE, "--trials", "7", "--jobs")
CASES = [
    *(Case(f"repro {name}", fixed("dvc", "repro", f"evaluate@{name}"), "fresh") for name in MODELS),
    *(
        Case(f"exp {name}", fixed("dvc", "exp", "run", "-S", "learning_rate=0.002", f"evaluate@{name}"), "fresh")
        for name in MODELS
    ),
    *(Case(f"train_all_models.py {name}", train_all(name), "fresh") for name in MODELS),
    *(
        Case(f"kelly repro --jobs {jobs}", fixed("kelly", "repro", "--jobs", jobs), prepare=other_settings)
        for jobs in ("1", "2")
    ),
    # The plot shows the trials by their numbers, and a killed trial keeps its number.
    Case(
        "kelly search --jobs 1",
        fixed(*SEARCH, "1", "--write"),
        digests={"study.db": ended_trials, "search.png": exists},
    ),
    Case(
        "kelly search --jobs 2", fixed(*SEARCH, "2"), digests={"study.db": number_of_ended_trials, "search.png": exists}
    ),
    Case("kelly crossval", fixed("kelly", "crossval", "--folds", "3", "--models", GROOVE, "--jobs", "2")),
    Case("kelly ensemble", fixed("kelly", "ensemble", "--members", "3", "--model", GROOVE, "--jobs", "2")),
    Case(
        "torchrun",
        fixed("torchrun", "--standalone", "--nproc-per-node=2", "-m", "stages.train", GROOVE),
        prepare=untrained,
    ),
    Case("generate", fixed("python", "-m", "stages.generate", "dynamicsengine"), "fresh"),
    Case("kelly audition", fixed("kelly", "audition"), prepare=other_page, one_step=True),
    Case(
        "kelly render",
        fixed("kelly", "render", "phrase.mid", "--valence", "0.5", "--arousal", "0.5"),
        prepare=other_phrase,
        one_step=True,
    ),
    Case("kelly results", fixed("kelly", "results", "--readme", "README.md"), prepare=other_table, one_step=True),
    Case("kelly check", fixed("kelly", "check"), prepare=half_written, one_step=True),
    Case("evaluate_models.py", fixed("python", "evaluate_models.py"), one_step=True),
    Case("kelly inspect", fixed("kelly", "inspect", "music"), one_step=True),
    Case("kelly compare", fixed("kelly", "compare", "HEAD", "workspace"), prepare=trained_again, one_step=True),
]
