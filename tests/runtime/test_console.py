"""Whatever the standard streams are, a command ends with one message at most and a conventional exit code."""

import os
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from kelly.runtime import console

RUN = "from kelly.runtime.console import run; from kelly.runtime.errors import KellyError\n"
PRINTS = RUN + "def main():\n for i in range(9999): print('\\u2192', i)\nrun(main)"
FAILS = RUN + "def main(): raise KellyError('wrong \\u2192')\nrun(main)"
HELPS = RUN + "import argparse\nrun(lambda: argparse.ArgumentParser(prog='p').parse_args(['--help']))"
WRITES = RUN + "def main():\n with open('file', 'w') as f: print('printed'); f.write('written')\nrun(main)"

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")


def run(program: str, redirection: str, folder: Path, **environment: str) -> tuple[int, str]:
    """The exit code of a program in a shell, and what is in the pipe that the shell gives it as file number 9."""
    command = ["bash", "-c", f'exec 9>&1; "$0" -c "$1" {redirection}', sys.executable, program]
    path = {"PYTHONPATH": str(Path(console.__file__).parents[2])}
    done = subprocess.run(
        command, capture_output=True, cwd=folder, env=os.environ | path | {"PYTHONUNBUFFERED": ""} | environment
    )
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


@pytest.mark.parametrize(
    ("program", "redirection", "code", "printed"),
    [
        (PRINTS, ">&-", 0, ""),
        (PRINTS, ">&- 2>&- <&-", 0, ""),
        (PRINTS, "| true; exit ${PIPESTATUS[0]}", 141, ""),
        (HELPS, "| true; exit ${PIPESTATUS[0]}", 141, ""),
        (PRINTS, ">/dev/full", 1, "error: standard output: No space left on device; free space on its disk\n"),
        (HELPS, ">/dev/full", 1, "error: standard output: No space left on device; free space on its disk\n"),
        (FAILS, "2>&-", 1, ""),
        (FAILS, "2>/dev/full", 1, ""),
        (FAILS, "2>&1 | true; exit ${PIPESTATUS[0]}", 1, ""),
        (FAILS, ">/dev/full", 1, "error: wrong →\n"),
    ],
)
def test_closed_and_full_streams(program: str, redirection: str, code: int, printed: str, tmp_path: Path) -> None:
    assert run(program, redirection, tmp_path) == (code, printed)


def test_what_is_printed_to_a_closed_stream_does_not_land_in_a_file(tmp_path: Path) -> None:
    assert run(WRITES, ">&- <&- 2>&-", tmp_path) == (0, "")
    assert (tmp_path / "file").read_text() == "written"


@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"},
                                         {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])  # fmt: skip
def test_symbols_that_an_encoding_lacks_are_replaced(environment: dict[str, str], tmp_path: Path) -> None:
    code, printed = run(PRINTS, "", tmp_path, **environment)
    assert (code, printed[:4], printed.count("\n")) == (0, "? 0\n", 9999)
    code, printed = run(FAILS, "", tmp_path, **environment)
    assert (code, printed) == (1, "error: wrong \\u2192\n")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "error: out of memory; close other programs"),
        (MemoryError("while reading a.npy"), "error: out of memory while reading a.npy; close other programs"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "out of memory; "),
        (ImportError("libtorch.so: failed to map segment from shared object"), "error: out of memory; close"),
        (OSError(12, "Cannot allocate memory", "a.npy"), "error: a.npy: Cannot allocate memory; close other programs"),
        (OSError(24, "Too many open files", "a.npy"), "error: a.npy: Too many open files; allow more open files"),
        (OSError(5, "Input/output error", "a.npy"), "error: a.npy: Input/output error; its disk or"),
        (PermissionError(13, "Permission denied", "a"), "error: a: Permission denied; change its permissions"),
        (BrokenProcessPool(), "error: a worker process was killed, probably because memory ran out"),
        (RecursionError(), "nested too deeply"),
    ],
)
def test_a_failure_of_the_machine_is_a_message(
    error: Exception, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as stop:
        console.run(main)
    assert stop.value.code == 1
    assert message in capsys.readouterr().err


def test_a_bug_keeps_its_traceback() -> None:
    def main() -> None:
        raise RuntimeError("bug")

    with pytest.raises(RuntimeError, match="bug"):
        console.run(main)
