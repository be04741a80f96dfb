"""Training by several processes: the curve of one, the same bytes again and after a kill, every message once."""

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
from support.several_processes import CASES, EPOCHS, curve, run
from support.small_runs import files
from training.test_batches import batches_of, numbered

from kelly.runtime.console import launched
from kelly.training.batches import Batches
from kelly.training.distributed import ProcessGroup, joined
from kelly.training.loop import inherited

HISTORY = "history/emotionrecognizer_history.csv"


def shares_of(size: int) -> list[ProcessGroup]:
    return [ProcessGroup(rank, size) for rank in range(size)]


@given(st.data(), st.integers(1, 30), st.integers(1, 9), st.integers(2, 5))
def test_every_sequence_of_a_batch_is_in_the_share_of_one_process(
    data: st.DataObject, n: int, batch_size: int, size: int
) -> None:
    lengths = data.draw(st.lists(st.integers(1, 4), min_size=n, max_size=n))
    batches = Batches(numbered(n, 4, torch.tensor(lengths).numpy()), batch_size)
    whole = [(frames, sizes) for chunk in batches for frames, sizes in zip(batches_of(chunk), chunk.sizes, strict=True)]
    held: list[list[list[int]]] = [[[] for _ in range(size)] for _ in whole]
    for process_group in shares_of(size):
        at = 0
        for chunk in batches.shared(process_group):
            for frames, sizes, last, number in zip(
                batches_of(chunk), chunk.sizes, chunk.last_frames, chunk.num_sequences, strict=True
            ):
                held[at][process_group.rank] = [row for row, frame in frames if frame == 0]
                assert number == whole[at][1][0]
                assert sum(sizes) == len(frames) == sum(lengths[row] for row in held[at][process_group.rank])
                assert [frames[int(i)][1] for i in last] == [lengths[row] - 1 for row in held[at][process_group.rank]]
                at += 1
        assert at == len(whole)
    for (frames, _), parts in zip(whole, held, strict=True):
        together_again = [row for row, frame in frames if frame == 0]
        assert parts == [together_again[rank::size] for rank in range(size)]


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize(("before", "now"), [(7, 7), (7, 4), (7, 2), (5, 6), (6, 7)])
def test_a_share_starts_in_the_states_that_its_sequences_would_have_in_one_process(
    size: int, before: int, now: int
) -> None:
    ended = [(torch.rand(before, 3), torch.rand(before, 3))]
    alone = inherited(ended, before, now)
    for process_group in shares_of(size):
        own = [(hidden[process_group.rank :: size], cell[process_group.rank :: size]) for hidden, cell in ended]
        start = inherited(own, before, now, process_group)
        if alone is None:
            assert start is None
            continue
        assert start is not None
        for part, of_all in zip(start[0], alone[0], strict=True):
            assert torch.equal(part, of_all[process_group.rank :: size])


def test_one_process_asks_nothing_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: Any, **__: Any) -> None:
        raise AssertionError

    for name in ("init_process_group", "all_reduce", "broadcast", "broadcast_object_list", "barrier"):
        monkeypatch.setattr(torch.distributed, name, asked)
    with joined() as process_group:
        assert process_group.size == 1
        run(tmp_path, process_group, epochs=2)
    assert files(tmp_path)


COMMANDS = {
    "generate": ("-m", "stages.generate", "dynamicsengine"),
    "split": ("-m", "stages.split", "dynamicsengine"),
    "report": ("-m", "stages.report"),
    "train all": ("train_all_models.py",),
    "evaluate all": ("evaluate_models.py",),
    "kelly": ("-c", "from kelly.commands import main; main()", "results"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_one_process_refuses_to_be_several_and_says_so_once(
    project: Path, tmp_path: Path, name: str
) -> None:
    command = [str(project / part) if part.endswith(".py") else part for part in COMMANDS[name]]
    done = [
        subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environment(project)
            | {"RANK": rank, "WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "x"},
            capture_output=True, text=True, check=False,
        )
        for rank in "01"
    ]  # fmt: skip
    assert [one.returncode for one in done] == [1, 0]
    assert "error: torchrun started 2 processes" in done[0].stderr
    assert "torchrun --nproc-per-node=2 -m stages.train melodytransformer" in done[0].stderr
    assert done[0].stdout + done[1].stdout + done[1].stderr == ""
    assert list(tmp_path.iterdir()) == []


def environment(project: Path) -> dict[str, str]:
    assert launched() == (0, 1)
    return os.environ | {"PYTHONPATH": str(project), "OMP_NUM_THREADS": "1"}


def torchrun(size: int, *options: str) -> list[str]:
    return [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={size}", *options]


def start(project: Path, command: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command, cwd=project / "tests", env=environment(project), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip


def finished(started: "subprocess.Popen[str]", code: int = 0) -> str:
    """What a job printed, which must end by itself within three minutes."""
    try:
        printed, _ = started.communicate(timeout=180)
    except subprocess.TimeoutExpired:
        for child in psutil.Process(started.pid).children():  # each has a group of its own
            child.kill()
        started.kill()
        raise
    assert started.returncode == code, printed
    return printed


@pytest.fixture(scope="module")
def undisturbed(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes leave that nobody disturbs."""
    output = tmp_path_factory.mktemp("undisturbed")
    printed = finished(start(project, torchrun(2, "several_processes.py", "curves", "run", str(output))))
    assert printed.count(f"Epoch {EPOCHS}/{EPOCHS}") == 1
    return output


def check_curves(output: Path, size: int) -> None:
    curves = [json.loads((output / f"curves_{rank}.json").read_text()) for rank in range(size)]
    assert all(other == curves[0] for other in curves[1:])
    for name, case in CASES.items():
        expected = curve(case)
        assert curves[0][name].keys() == expected.keys()
        for column, values in expected.items():
            assert curves[0][name][column] == pytest.approx(values, rel=1e-10), (name, column)


@pytest.mark.pipeline
def test_two_processes_learn_what_one_learns(undisturbed: Path) -> None:
    check_curves(undisturbed, 2)


@pytest.mark.pipeline
def test_three_processes_learn_what_one_learns(project: Path, tmp_path: Path) -> None:
    finished(start(project, torchrun(3, "several_processes.py", "curves", str(tmp_path))))
    check_curves(tmp_path, 3)


@pytest.mark.pipeline
def test_in_single_precision_the_curve_is_that_of_one_process_to_rounding(undisturbed: Path, tmp_path: Path) -> None:
    run(tmp_path)
    both = [(folder / HISTORY).with_suffix(".json").read_text() for folder in (undisturbed / "run", tmp_path)]
    ours, expected = (json.loads(text) for text in both)
    for column, values in ours.items():
        assert values == pytest.approx(expected[column], rel=1e-5), column


@pytest.mark.pipeline
def test_another_number_of_processes_goes_on(
    undisturbed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(undisturbed / "run", tmp_path / "run")
    run(tmp_path / "run", epochs=EPOCHS + 1, resume="always")
    assert f"EmotionRecognizer: going on after epoch {EPOCHS}\n" in capsys.readouterr().out


def worker(job: "subprocess.Popen[str]", rank: int) -> psutil.Process:
    [found] = [child for child in psutil.Process(job.pid).children() if child.environ().get("RANK") == str(rank)]
    return found


def wait_for(output: Path, epoch: int, job: "subprocess.Popen[str]") -> None:
    while not (output / HISTORY).exists() or len((output / HISTORY).read_text().splitlines()) <= epoch:
        assert job.poll() is None, "it ended before it could be disturbed"
        time.sleep(0.005)


@pytest.mark.pipeline
def test_a_run_that_is_killed_and_interrupted_says_so_once_each_and_ends_like_one_that_nobody_disturbed(
    project: Path, tmp_path: Path, undisturbed: Path
) -> None:
    output, command = tmp_path / "run", ("several_processes.py", "run", str(tmp_path))
    job = start(project, torchrun(2, "--max-restarts=1", *command))
    wait_for(output, 3, job)
    worker(job, 0).kill()  # torchrun begins again
    wait_for(output, 15, job)
    job.send_signal(signal.SIGINT)  # torchrun passes it on
    printed = finished(job, code=1)
    told = [line for line in printed.splitlines() if line.startswith(("error: ", "interrupted: "))]
    assert [line.partition(" (")[0] for line in told] == [
        "error: another process of this training has ended, or did not answer for 10 minutes; what was finished is "
        "kept, and the same command goes on after the last finished epoch",
        "interrupted: what was finished is kept; the same command goes on from there",
    ]
    printed += finished(start(project, torchrun(2, *command)))
    assert printed.count("EmotionRecognizer: going on after epoch ") == 2
    assert files(output) == files(undisturbed / "run")


@pytest.mark.pipeline
def test_what_several_processes_train_dvc_takes_for_the_work_of_the_stage(project: Path, tmp_path: Path) -> None:
    clone = Clone(project, tmp_path, SMALL)
    clone.dvc("repro", "split@dynamicsengine")
    clone.run(*torchrun(2, "-m", "stages.train", "dynamicsengine"))
    clone.dvc("commit", "--force", "train@dynamicsengine")
    assert "Stage 'train@dynamicsengine' didn't change, skipping" in clone.dvc("repro", "train@dynamicsengine")
