"""Training by several processes: same loss curve as one, same bytes after a kill, every message printed once."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.clone import Clone
from support.numbered_data import batch_frames, numbered_data
from support.several_processes import CASES, EPOCHS, curve, curves_of_threads, double_precision, run
from support.small_runs import files

from kelly.runtime.console import check_single_process, rank_and_world_size
from kelly.runtime.errors import KellyError
from kelly.training.batches import Batches
from kelly.training.distributed import ProcessGroup, init_process_group
from kelly.training.loop import carried_state

pytestmark = pytest.mark.slow

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


@pytest.mark.parametrize("name", CASES)
def test_several_processes_have_the_curve_of_one(name: str) -> None:
    with double_precision():
        expected = curve(CASES[name])
        for num_threads in (2, 3):
            first, *others = curves_of_threads(CASES[name], num_threads)
            assert all(other == first for other in others)
            assert first.keys() == expected.keys()
            for column, values in expected.items():
                assert first[column] == pytest.approx(values, rel=1e-10), column


def test_a_single_process_communicates_with_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError

    for name in ("init_process_group", "all_reduce", "broadcast", "broadcast_object_list", "barrier"):
        monkeypatch.setattr(torch.distributed, name, fail)
    with init_process_group() as process_group:
        assert process_group.world_size == 1
        run(tmp_path, process_group, epochs=2)
    assert files(tmp_path)


def test_a_single_process_command_rejects_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "x"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(KellyError, match=r"torchrun --nproc-per-node=2 -m stages\.train melodytransformer"):
        check_single_process()
    monkeypatch.setenv("RANK", "1")  # reports nothing
    with pytest.raises(SystemExit, match="0"):
        check_single_process()


def environment(project: Path) -> dict[str, str]:
    assert rank_and_world_size() == (0, 1)
    return os.environ | {"PYTHONPATH": str(project), "OMP_NUM_THREADS": "1"}


@pytest.mark.pipeline
def test_torchrun_of_a_single_process_command_ends_before_it_writes_anything(project: Path, tmp_path: Path) -> None:
    variables = environment(project) | {"RANK": "0", "WORLD_SIZE": "2"}
    command = [sys.executable, str(project / "train_all_models.py")]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: torchrun started 2 processes")
    assert list(tmp_path.iterdir()) == []


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
    output = wait(start(project, torchrun(2, *JOB, str(folder))))
    assert output.count(f"Epoch {EPOCHS}/{EPOCHS}") == 1
    return folder


@pytest.mark.pipeline
def test_in_single_precision_the_curve_differs_by_rounding_only(uninterrupted: Path, tmp_path: Path) -> None:
    run(tmp_path)
    paths = [(folder / HISTORY).with_suffix(".json") for folder in (uninterrupted, tmp_path)]
    actual, expected = (json.loads(path.read_text()) for path in paths)
    for column, values in actual.items():
        assert values == pytest.approx(expected[column], rel=1e-5), column


@pytest.mark.pipeline
def test_another_number_of_processes_can_resume(
    uninterrupted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(uninterrupted, tmp_path, dirs_exist_ok=True)
    run(tmp_path, epochs=EPOCHS + 1, resume="always")
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
    command = (*JOB, str(tmp_path))
    job = start(project, torchrun(2, "--max-restarts=1", *command))
    wait_for(tmp_path, 3, job)
    worker(job, 0).kill()  # torchrun starts the processes again
    wait_for(tmp_path, 15, job)
    job.send_signal(signal.SIGINT)  # torchrun passes it on
    output = wait(job, code=1)
    messages = [line.split()[:3] for line in output.splitlines() if line.startswith(("error: ", "interrupted: "))]
    assert [words[0] for words in messages] == ["error:", "interrupted:"]
    assert messages[0][1:] == ["another", "process"]
    output += wait(start(project, torchrun(2, *command)))
    assert output.count("EmotionRecognizer: resuming after epoch ") == 2
    assert files(tmp_path) == files(uninterrupted)


@pytest.mark.pipeline
def test_dvc_commit_accepts_what_several_processes_trained(
    finished_clone: Callable[[Path], Clone], tmp_path: Path
) -> None:
    clone = finished_clone(tmp_path)
    clone.run(*torchrun(2, "-m", "stages.train", "dynamicsengine"))
    clone.dvc("commit", "--force", "train@dynamicsengine")
    assert "Stage 'train@dynamicsengine' didn't change, skipping" in clone.dvc("repro", "train@dynamicsengine")
