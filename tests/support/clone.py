"""Copies of the project with small settings: in a git repository for the real DVC, or its scripts alone."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from ruamel.yaml import YAML

SMALL = {
    "epochs: 50 ": "epochs: 2 ",
    "source: corpus ": "source: synthetic ",
    "num_sequences: 12500": "num_sequences: 200",
    "num_sequences: 100000": "num_sequences: 400",
}

# What a run generates, and the tests.
LEFT_OUT = ("metrics/", "trained_models/", "dvc.lock", "tests/")


def environment(folder: Path | None = None) -> dict[str, str]:
    """An environment with the `dvc` and `python` of these tests and the modules of the clone in `folder`."""
    bin_folder = str(Path(sys.executable).parent)
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return (
        variables
        | {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
        | ({"PYTHONPATH": str(folder)} if folder else {})
    )


class Clone:
    """A copy of the project in its own git repository."""

    def __init__(self, project: Path, folder: Path, changes: dict[str, str]) -> None:
        self.folder = folder
        listed = self.run("git", "-C", str(project), "ls-files", "-z", "-co", "--exclude-standard", cwd=project)
        for name in filter(None, listed.split("\0")):
            if (project / name).is_file() and not name.startswith(LEFT_OUT):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(project / name, folder / name)
        for before, after in changes.items():
            self.set(before, after)
        self.run("git", "init", "-q", "-b", "main")
        self.run("git", "config", "user.name", "tester")
        self.run("git", "config", "user.email", "tester@example.org")
        self.commit()

    @classmethod
    def at(cls, folder: Path) -> "Clone":
        """A clone that exists already."""
        clone = cls.__new__(cls)
        clone.folder = folder
        return clone

    def run(self, *command: str, cwd: Path | None = None, code: int = 0) -> str:
        """Run a command that must exit with `code`; return what it printed."""
        done = subprocess.run(
            command,
            cwd=cwd or self.folder,
            env=environment(cwd or self.folder),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + (done.stderr if command[0] in ("dvc", "kelly") or code else "")

    def start(self, *command: str) -> "subprocess.Popen[str]":
        """Start a command in its own process group; its stdout is a pipe."""
        return subprocess.Popen(
            command, cwd=self.folder, env=environment(self.folder), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip

    def kill_when(self, reached: Callable[[], bool], *command: str) -> None:
        """Start a command and kill it, with all that it started, as soon as `reached`."""
        started = self.start(*command)
        while not reached():
            assert started.poll() is None, "the command ended before it was killed"
            time.sleep(0.01)
        kill(started)

    def dvc(self, *arguments: str, code: int = 0) -> str:
        """Run dvc; return what it printed."""
        return self.run("dvc", *arguments, code=code)

    def commit(self) -> None:
        """Commit everything."""
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "--allow-empty", "-m", "state")

    def set(self, before: str, after: str) -> None:
        """Replace text in params.yaml."""
        text = self.read("params.yaml")
        assert before in text
        (self.folder / "params.yaml").write_text(text.replace(before, after))

    def read(self, name: str) -> str:
        """The text of a file."""
        return (self.folder / name).read_text()


def choose(folder: Path, settings: Mapping[str, object]) -> None:
    """Set values in a folder's params.yaml by their dotted keys, which may be new."""
    yaml = YAML()
    content = yaml.load(folder / "params.yaml")
    for key, value in settings.items():
        *parents, last = key.split(".")
        block = content
        for parent in parents:
            block = block.setdefault(parent, {})
        block[last] = value
    yaml.dump(content, folder / "params.yaml")


def kill(started: "subprocess.Popen[str]") -> None:
    """Kill a command and all that it started, and wait until it is gone."""
    os.killpg(started.pid, signal.SIGKILL)
    started.communicate()


def ran(printed: str) -> list[str]:
    """The stages that DVC ran."""
    return re.findall(r"Running stage '([\w@]+)'", printed)


class Folder:
    """The scripts and small settings in a folder outside git."""

    def __init__(self, project: Path, folder: Path) -> None:
        self.folder = folder
        for name in ("train_all_models.py", "evaluate_models.py"):
            shutil.copy(project / name, folder / name)
        text = (project / "params.yaml").read_text()
        for usual, small in SMALL.items():
            if usual.startswith("epochs"):
                continue
            assert usual in text
            text = text.replace(usual, small)
        (folder / "params.yaml").write_text(text)

    def start(self, script: str, *options: str) -> "subprocess.Popen[str]":
        """Start a script in its own process group."""
        return subprocess.Popen(
            [sys.executable, script, *options], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, start_new_session=True,
        )  # fmt: skip

    def run(self, script: str, *options: str, code: int = 0) -> str:
        """Run a script that must exit with `code` and without a traceback; return what it printed."""
        done = subprocess.run(
            [sys.executable, script, *options], cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def tree(self, below: str) -> set[str]:
        """The names of all files below a folder, locks excepted."""
        root = self.folder / below
        return {
            path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() and path.suffix != ".lock"
        }
