"""What `kelly repro` prints, and the order of its chains; the rest is tested with the real DVC."""

import io
import os
import shutil
import sys
from argparse import Namespace
from pathlib import Path
from typing import NoReturn

import pytest
from tqdm import tqdm

from kelly.commands import repro
from kelly.pipeline.chains import LONGEST_FIRST, Output, environment
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS


def follow(*parts: bytes) -> int:
    """Let a chain print `parts`; return how many stages the bar of the pipeline counts."""
    bar: tqdm[NoReturn] = tqdm(total=10, file=io.StringIO())
    output = Output("Melody", 0, bar)
    for part in parts:
        os.write(output.write_fd, part)
    os.close(output.write_fd)
    with output, bar:
        output.follow()
    return int(bar.n)


def test_every_line_has_the_label_of_its_network(capsys: pytest.CaptureFixture[str]) -> None:
    follow("Epoch 1/2 | µ".encode()[:-1], "µ".encode()[-1:] + b"\r\n\n  indented\nlast\n")
    assert capsys.readouterr().out == "Melody   | Epoch 1/2 | µ\nMelody   |   indented\nMelody   | last\n"


def test_only_the_last_state_of_a_bar_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    follow(b"epoch 1:  10%\repoch 1:  50%\r             \rEpoch 1/2\n")
    assert capsys.readouterr().out == "Melody   | Epoch 1/2\n"


def test_the_advice_of_dvc_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    follow(b"To track the changes with git, run:\n\n\tgit add dvc.lock\n\nUse `dvc push` to send your updates\nkept\n")
    assert capsys.readouterr().out == "Melody   | kept\n"


def test_the_bar_counts_stages_whether_they_were_run_or_not() -> None:
    assert follow(b"Stage 'generate@melodytransformer' didn't change, skipping\n",
                    b"Stage 'split@melodytransformer' is cached - skipping run, checking out outputs\n",
                    b"Running stage 'train@melodytransformer':\n> python\nEpoch 1/2\n") == 3  # fmt: skip
    assert follow(b"error: no stage\n") == 0


def test_the_largest_networks_come_first() -> None:
    assert LONGEST_FIRST[:2] == ["melodytransformer", "emotionrecognizer"]
    assert sorted(LONGEST_FIRST) == sorted(TASKS)


def test_a_number_of_jobs_below_one_is_refused() -> None:
    with pytest.raises(KellyError, match="--jobs 0: expected 1 or more"):
        repro.run(Namespace(jobs=0))


def test_the_stages_run_with_the_python_that_runs_the_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.defpath)  # no environment is activated
    python = shutil.which("python", path=environment()["PATH"])
    assert python is not None
    assert Path(python).parent == Path(sys.executable).parent
    monkeypatch.delenv("PATH")
    assert environment()["PATH"].endswith(os.defpath)
