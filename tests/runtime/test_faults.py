"""What a user sees when a run is interrupted or the disk is full or read-only; nothing is lost."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.clone import Folder
from support.kill_outputs import incomplete, is_temporary
from support.small_runs import files

from kelly.commands import evaluate_all, train_all

pytestmark = pytest.mark.pipeline

MODEL = ("--models", "dynamicsengine")
Mount = Callable[[str], Path]


@pytest.fixture(scope="module")
def scripts(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(project, tmp_path_factory.mktemp("faults"))


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mounts a small disk of its own, or mounts it again with other options."""
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


@pytest.fixture
def train(scripts: Folder, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs train_all_models.py in this process."""

    def run(output: Path, *options: str) -> None:
        monkeypatch.setattr("sys.argv", ["train_all_models.py", "-o", str(output), *MODEL, *options])
        train_all.main(scripts.folder / "params.yaml")

    return run


def test_on_a_full_disk_no_file_is_incomplete_and_the_run_resumes_when_there_is_space(
    train: Callable[..., None], tmp_path: Path, mount: Mount
) -> None:
    train(tmp_path / "expected", "-e", "3")
    disk = mount("size=24k")
    messages: dict[int, str] = {}  # by the number of files there
    for size in (24, 100, 300, 420, 500, 560, 620, 2_000):
        subprocess.run(["mount", "-o", f"remount,size={size}k", str(disk)], check=True)
        resume = ["--resume", "all"] if list(disk.glob("out/checkpoints/*_latest.pt")) else []
        try:
            train(disk / "out", "-e", "3", *resume)
        except OSError as error:
            messages[len(list(disk.rglob("*")))] = str(error)
        assert [path for path in disk.rglob("*") if is_temporary(path)] == []
        assert incomplete(disk) == []
    assert len(messages) > 3  # it was full at several stages of the run
    assert all("No space left on device" in text or "is the disk full" in text for text in messages.values())
    assert files(disk / "out") == files(tmp_path / "expected")


def test_a_read_only_folder_is_rejected_before_any_work(
    scripts: Folder, train: Callable[..., None], mount: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = mount("size=20m")
    train(disk / "out", "-e", "1")
    before = files(disk / "out")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    printed = scripts.run("train_all_models.py", "-o", str(disk / "out"), *MODEL, code=1)
    assert "Read-only file system; check that the path is right, writable" in printed
    assert "Training" not in printed
    options = ["--checkpoint-dir", str(disk / "out/checkpoints"), "-o", str(disk / "results")]
    monkeypatch.setattr("sys.argv", ["evaluate_models.py", *options])
    with pytest.raises(OSError, match="Read-only file system"):
        evaluate_all.main()
    assert files(disk / "out") == before


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_an_interrupted_run_explains_how_to_resume_and_ends_like_an_uninterrupted_one(
    scripts: Folder, train: Callable[..., None], number: signal.Signals, code: int, word: str
) -> None:
    options = ["-e", "60", "--early-stopping-patience", "60", "--no-plots"]
    output, expected = scripts.folder / word, scripts.folder / "expected"
    if not expected.exists():
        train(expected, *options)
    started = scripts.start("train_all_models.py", "-o", word, *MODEL, *options)
    history = output / "history/dynamicsengine_history.csv"
    while not history.exists() or len(history.read_text().splitlines()) < 5:
        assert started.poll() is None, "the run ended too early"
        time.sleep(0.01)
    os.killpg(started.pid, number)
    _, message = started.communicate()
    assert message.splitlines()[-1] == f"{word}: finished work is kept; add --resume all to go on from there"
    assert "Traceback" not in message
    assert started.returncode == code
    assert incomplete(scripts.folder) == []
    train(output, *options, "--resume", "all")
    assert files(output) == files(expected)


def test_ctrl_c_while_pytorch_is_imported_is_no_traceback(scripts: Folder) -> None:
    started = scripts.start("train_all_models.py", "-o", "never", *MODEL, "-e", "5000")
    time.sleep(1.0)
    os.killpg(started.pid, signal.SIGINT)
    _, message = started.communicate()
    assert "Traceback" not in message
    assert started.returncode in (130, -signal.SIGINT)
