"""What the chains of `kelly repro` print, and in which order they begin; the rest is tested with the real DVC."""

import io
import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from tqdm import tqdm

from kelly.commands import reproduce
from kelly.pipeline.chains import LONGEST_FIRST, Screen, with_this_python
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS


def followed(*parts: bytes) -> int:
    """Of how many stages the bar of the pipeline came to tell."""
    whole: tqdm[NoReturn] = tqdm(total=10, file=io.StringIO())
    screen = Screen("Melody", 0, whole)
    for part in parts:
        os.write(screen.writing, part)
    os.close(screen.writing)
    with screen, whole:
        screen.follow()
    return int(whole.n)


def test_every_line_stands_under_its_network(capsys: pytest.CaptureFixture[str]) -> None:
    followed("Epoch 1/2 | µ".encode()[:-1], "µ".encode()[-1:] + b"\r\n\n  indented\nlast\n")
    assert capsys.readouterr().out == "Melody   | Epoch 1/2 | µ\nMelody   |   indented\nMelody   | last\n"


def test_of_a_bar_only_what_stands_at_last_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    followed(b"epoch 1:  10%\repoch 1:  50%\r             \rEpoch 1/2\n")
    assert capsys.readouterr().out == "Melody   | Epoch 1/2\n"


def test_what_dvc_advises_after_every_run_is_left_to_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    followed(
        b"To track the changes with git, run:\n\n\tgit add dvc.lock\n\nUse `dvc push` to send your updates\nkept\n"
    )
    assert capsys.readouterr().out == "Melody   | kept\n"


def test_each_stage_that_ends_brings_the_pipeline_on_whether_it_was_run_or_not() -> None:
    assert followed(b"Stage 'generate@melodytransformer' didn't change, skipping\n",
                    b"Stage 'split@melodytransformer' is cached - skipping run, checking out outputs\n",
                    b"Running stage 'train@melodytransformer':\n> python\nEpoch 1/2\n") == 3  # fmt: skip
    assert followed(b"error: no stage was begun\n") == 0


def test_the_largest_network_begins() -> None:
    assert LONGEST_FIRST[:2] == ["melodytransformer", "emotionrecognizer"]
    assert sorted(LONGEST_FIRST) == sorted(TASKS)


def test_a_number_of_jobs_below_one_is_refused() -> None:
    with pytest.raises(KellyError, match="--jobs 0: expected 1 or more"):
        reproduce(0)


def test_the_stages_run_with_the_python_that_runs_the_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.defpath)  # as where no environment is activated
    found = shutil.which("python", path=with_this_python()["PATH"])
    assert found is not None
    assert Path(found).parent == Path(sys.executable).parent
    monkeypatch.delenv("PATH")
    assert with_this_python()["PATH"].endswith(os.defpath)
