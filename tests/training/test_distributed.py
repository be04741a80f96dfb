"""Training by several processes: same loss curve as one, same bytes after a kill, every message printed once."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.clone import SMALL, Clone
from support.numbered_data import batch_frames, numbered_data
from support.several_processes import CASES, EPOCHS, curve, run
from support.small_runs import files

from kelly.runtime.console import rank_and_world_size
from kelly.training.batches import Batches
from kelly.training.distributed import ProcessGroup, init_process_group
from kelly.training.loop import carried_state

HISTORY = "history/emotionrecognizer_history.csv"
JOB = ("-m", "support.several_processes")


def process_groups(world_size: int) -> list[ProcessGroup]:
    return [ProcessGroup(rank, world_size) for rank in range(world_size)]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=30), st.integers(1, 9), st.integers(2, 5))
def test_every_sequence_of_a_batch_is_in_the_share_of_one_process(
    lengths: list[int], batch_size: int, world_size: int
) -> None:
    batches = Batches(numbered_data(len(lengths), 4, torch.tensor(lengths).numpy()), batch_size)
    expected = [  # rows, longest first
        [row for row, frame in frames if frame == 0] for chunk in batches for frames in batch_frames(chunk)
    ]
    for process_group in process_groups(world_size):
        shares = [
            share
            for chunk in batches.chunks(process_group)
            for share in zip(batch_frames(chunk), chunk.sizes, chunk.last_frames, chunk.num_sequences, strict=True)
        ]
        assert len(shares) == len(expected)
        for (frames, sizes, last_frames, num_sequences), all_rows in zip(shares, expected, strict=True):
            rows = all_rows[process_group.rank :: world_size]
            assert [row for row, frame in frames if frame == 0] == rows
            assert num_sequences == len(all_rows)
            assert sum(sizes) == len(frames) == sum(lengths[row] for row in rows)
            assert [frames[int(i)] for i in last_frames] == [(row, lengths[row] - 1) for row in rows]


@pytest.mark.parametrize("world_size", [2, 3])
@pytest.mark.parametrize(("previous_size", "num_sequences"), [(7, 7), (7, 4), (7, 2), (5, 6), (6, 7)])
def test_a_share_starts_in_the_states_that_its_sequences_have_in_one_process(
    world_size: int, previous_size: int, num_sequences: int
) -> None:
    final_state = [(torch.rand(previous_size, 3), torch.rand(previous_size, 3))]
    expected = carried_state(final_state, previous_size, num_sequences)
    for process_group in process_groups(world_size):
        share = [(h[process_group.rank :: world_size], c[process_group.rank :: world_size]) for h, c in final_state]
        start = carried_state(share, previous_size, num_sequences, process_group)
        if expected is None or start is None:
            assert start is expected
            continue
        for actual, complete in zip(start[0], expected[0], strict=True):
            assert torch.equal(actual, complete[process_group.rank :: world_size])


def test_a_single_process_communicates_with_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError

    for name in ("init_process_group", "all_reduce", "broadcast", "broadcast_object_list", "barrier"):
        monkeypatch.setattr(torch.distributed, name, fail)
    with init_process_group() as process_group:
        assert process_group.world_size == 1
        run(tmp_path, process_group, epochs=2)
    assert files(tmp_path)


COMMANDS = {
    "generate": ("-m", "stages.generate", "dynamicsengine"),
    "split": ("-m", "stages.split", "dynamicsengine"),
    "report": ("-m", "stages.report"),
    "train all": ("train_all_models.py",),
    "evaluate all": ("evaluate_models.py",),
    "kelly": ("-c", "from kelly.commands.main import main; main()", "results"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_single_process_command_rejects_torchrun_with_one_message(project: Path, tmp_path: Path, name: str) -> None:
    command = [str(project / part) if part.endswith(".py") else part for part in COMMANDS[name]]
    main, other = [
        subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environment(project)
            | {"RANK": rank, "WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "x"},
            capture_output=True, text=True, check=False,
        )
        for rank in "01"
    ]  # fmt: skip
    assert (main.returncode, other.returncode) == (1, 0)
    assert "error: torchrun started 2 processes" in main.stderr
    assert "torchrun --nproc-per-node=2 -m stages.train melodytransformer" in main.stderr
    assert main.stdout + other.stdout + other.stderr == ""
    assert list(tmp_path.iterdir()) == []


def environment(project: Path) -> dict[str, str]:
    assert rank_and_world_size() == (0, 1)
    return os.environ | {"PYTHONPATH": str(project), "OMP_NUM_THREADS": "1"}


def torchrun(num_processes: int, *options: str) -> list[str]:
    return [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={num_processes}", *options]


def start(project: Path, command: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command, cwd=project / "tests", env=environment(project), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip


def wait(job: "subprocess.Popen[str]", code: int = 0) -> str:
    """The output of a job, which must end with `code` within three minutes."""
    try:
        output, _ = job.communicate(timeout=180)
    except subprocess.TimeoutExpired:
        for child in psutil.Process(job.pid).children():  # each is in a process group of its own
            child.kill()
        job.kill()
        raise
    assert job.returncode == code, output
    return output


@pytest.fixture(scope="module")
def uninterrupted(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of two processes that were not interrupted."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    output = wait(start(project, torchrun(2, *JOB, "curves", "run", str(folder))))
    assert output.count(f"Epoch {EPOCHS}/{EPOCHS}") == 1
    return folder


def check_curves(folder: Path, num_processes: int) -> None:
    curves = [json.loads((folder / f"curves_{rank}.json").read_text()) for rank in range(num_processes)]
    assert all(other == curves[0] for other in curves[1:])
    for name, case in CASES.items():
        expected = curve(case)
        assert curves[0][name].keys() == expected.keys()
        for column, values in expected.items():
            assert curves[0][name][column] == pytest.approx(values, rel=1e-10), (name, column)


@pytest.mark.pipeline
def test_two_processes_have_the_curves_of_one(uninterrupted: Path) -> None:
    check_curves(uninterrupted, 2)


@pytest.mark.pipeline
def test_three_processes_have_the_curves_of_one(project: Path, tmp_path: Path) -> None:
    wait(start(project, torchrun(3, *JOB, "curves", str(tmp_path))))
    check_curves(tmp_path, 3)


@pytest.mark.pipeline
def test_in_single_precision_the_curve_differs_by_rounding_only(uninterrupted: Path, tmp_path: Path) -> None:
    run(tmp_path)
    paths = [(folder / HISTORY).with_suffix(".json") for folder in (uninterrupted / "run", tmp_path)]
    actual, expected = (json.loads(path.read_text()) for path in paths)
    for column, values in actual.items():
        assert values == pytest.approx(expected[column], rel=1e-5), column


@pytest.mark.pipeline
def test_another_number_of_processes_can_resume(
    uninterrupted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(uninterrupted / "run", tmp_path / "run")
    run(tmp_path / "run", epochs=EPOCHS + 1, resume="always")
    assert f"EmotionRecognizer: resuming after epoch {EPOCHS}\n" in capsys.readouterr().out


def worker(job: "subprocess.Popen[str]", rank: int) -> psutil.Process:
    [process] = [child for child in psutil.Process(job.pid).children() if child.environ().get("RANK") == str(rank)]
    return process


def wait_for(output: Path, epoch: int, job: "subprocess.Popen[str]") -> None:
    while not (output / HISTORY).exists() or len((output / HISTORY).read_text().splitlines()) <= epoch:
        assert job.poll() is None, "the run ended too early"
        time.sleep(0.005)


@pytest.mark.pipeline
def test_a_killed_and_interrupted_run_reports_each_once_and_ends_like_an_uninterrupted_one(
    project: Path, tmp_path: Path, uninterrupted: Path
) -> None:
    folder, command = tmp_path / "run", (*JOB, "run", str(tmp_path))
    job = start(project, torchrun(2, "--max-restarts=1", *command))
    wait_for(folder, 3, job)
    worker(job, 0).kill()  # torchrun starts the processes again
    wait_for(folder, 15, job)
    job.send_signal(signal.SIGINT)  # torchrun passes it on
    output = wait(job, code=1)
    messages = [line.split()[:3] for line in output.splitlines() if line.startswith(("error: ", "interrupted: "))]
    assert [words[0] for words in messages] == ["error:", "interrupted:"]
    assert messages[0][1:] == ["another", "process"]
    output += wait(start(project, torchrun(2, *command)))
    assert output.count("EmotionRecognizer: resuming after epoch ") == 2
    assert files(folder) == files(uninterrupted / "run")


@pytest.mark.pipeline
def test_dvc_commit_accepts_what_several_processes_trained(project: Path, tmp_path: Path) -> None:
    clone = Clone(project, tmp_path, SMALL)
    clone.dvc("repro", "split@dynamicsengine")
    clone.run(*torchrun(2, "-m", "stages.train", "dynamicsengine"))
    clone.dvc("commit", "--force", "train@dynamicsengine")
    assert "Stage 'train@dynamicsengine' didn't change, skipping" in clone.dvc("repro", "train@dynamicsengine")
