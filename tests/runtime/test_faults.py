"""What a user sees when a run is interrupted, the disk is full or read-only, or two runs meet; nothing is lost."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kill_anywhere import incomplete, is_temporary
from support.clone import Folder

pytestmark = pytest.mark.pipeline

MODEL = ("--models", "dynamicsengine")
Mount = Callable[[str], Path]


@pytest.fixture(scope="module")
def scripts(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(project, tmp_path_factory.mktemp("faults"))


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mounts a small disk of its own, or mounts it anew with other options."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mounted(options: str) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"a disk of its own cannot be mounted here: {done.stderr.strip()}")
        return disk

    yield mounted
    subprocess.run(["umount", str(disk)], capture_output=True, check=False)


def contents(output: Path) -> dict[str, bytes]:
    """The bytes of every file below a folder, without locks."""
    files = [path for path in output.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {path.relative_to(output).as_posix(): path.read_bytes() for path in files}


def test_a_full_disk_is_one_message_and_the_run_goes_on_when_there_is_room(scripts: Folder, mount: Mount) -> None:
    options = [*MODEL, "-e", "3"]
    scripts.run("train_all_models.py", "-o", "unbroken", *options)
    disk = mount("size=24k")
    places = set()
    for size in (24, 100, 300, 420, 500, 560, 620, 2_000):
        subprocess.run(["mount", "-o", f"remount,size={size}k", str(disk)], check=True)
        resume = ["--resume", "all"] if list(disk.glob("out/checkpoints/*_latest.pt")) else []
        started = scripts.start("train_all_models.py", "-o", str(disk / "out"), *options, *resume)
        _, message = started.communicate()
        assert "Traceback" not in message
        assert [path for path in disk.rglob("*") if is_temporary(path)] == []
        assert incomplete(disk) == []
        if started.returncode == 0:
            break
        assert started.returncode == 1
        assert "No space left on device" in message or "is the disk full" in message
        places.add(len(list(disk.rglob("*"))))
    else:
        pytest.fail("there was never room enough")
    assert len(places) > 3  # it was full at several stages of the run
    assert contents(disk / "out") == contents(scripts.folder / "unbroken")


def test_a_read_only_folder_is_refused_before_any_work(scripts: Folder, mount: Mount) -> None:
    disk = mount("size=20m")
    scripts.run("train_all_models.py", "-o", str(disk / "out"), *MODEL, "-e", "1")
    before = contents(disk / "out")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for script, options in (
        ("train_all_models.py", ["-o", str(disk / "out"), *MODEL]),
        ("evaluate_models.py", ["--checkpoint-dir", str(disk / "out/checkpoints"), "-o", str(disk / "results")]),
    ):
        printed = scripts.run(script, *options, code=1)
        assert "Read-only file system; check that the path is right, writable and on a disk that is not full" in printed
        assert "Training" not in printed
    assert contents(disk / "out") == before


def wait_for(path: Path, num_lines: int) -> None:
    """Wait until a history has so many lines."""
    while not path.exists() or len(path.read_text().splitlines()) < num_lines:
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_an_interruption_is_answered_and_the_run_goes_on_as_if_there_had_been_none(
    scripts: Folder, number: signal.Signals, code: int, word: str
) -> None:
    options = [*MODEL, "-e", "60", "--early-stopping-patience", "60"]
    if not (scripts.folder / "whole").exists():
        scripts.run("train_all_models.py", "-o", "whole", *options)
    started = scripts.start("train_all_models.py", "-o", word, *options)
    wait_for(scripts.folder / word / "history/dynamicsengine_history.csv", 5)
    os.killpg(started.pid, number)
    _, message = started.communicate()
    assert message.splitlines()[-1] == f"{word}: what was finished is kept; add --resume all to go on from there"
    assert "Traceback" not in message
    assert started.returncode == code
    assert incomplete(scripts.folder) == []
    scripts.run("train_all_models.py", "-o", word, *options, "--resume", "all")
    assert contents(scripts.folder / word) == contents(scripts.folder / "whole")


@pytest.mark.parametrize("after_s", [0.8, 1.5])
def test_ctrl_c_while_pytorch_is_imported_is_answered_too(scripts: Folder, after_s: float) -> None:
    started = scripts.start("train_all_models.py", "-o", "never", *MODEL, "-e", "5000")
    time.sleep(after_s)
    os.killpg(started.pid, signal.SIGINT)
    _, message = started.communicate()
    assert "Traceback" not in message
    assert started.returncode in (130, -signal.SIGINT)


def test_two_runs_on_one_output_folder_do_not_meet(scripts: Folder) -> None:
    started = scripts.start(
        "train_all_models.py", "-o", "shared", *MODEL, "-e", "99999", "--early-stopping-patience", "99999"
    )
    wait_for(scripts.folder / "shared/history/dynamicsengine_history.csv", 2)
    printed = scripts.run("train_all_models.py", "-o", "shared", *MODEL, code=1)
    assert "error: another run is writing dynamicsengine to shared" in printed
    assert "wait for it, stop it, or choose another folder" in printed
    other = scripts.run("train_all_models.py", "-o", "shared", "--models", "groovepredictor", "-e", "1")
    assert "GroovePredictor: Best epoch 1" in other  # another network may be trained beside it
    os.killpg(started.pid, signal.SIGINT)
    started.communicate()
