"""What commands print is text, whatever names it contains; bars and the colours of DVC still work."""

import io
import subprocess
import sys

import pytest

from kelly.runtime.terminal import BARS, EscapedStream, allow_colours, escaped

HOSTILE = "a\x1b[31m\x1b]0;title\x07\x9b2J\u202e\u2066\udcff\r.mid"
SEEN = r"a\x1b[31m\x1b]0;title\x07\x9b2J\u202e\u2066\udcff\r.mid"
PROGRAM = """
import sys
from tqdm import tqdm
from kelly.runtime.console import run
from kelly.runtime.errors import KellyError
def main():
    print(sys.argv[1], 95, "→", sep="\\t")
    tqdm.write(sys.argv[1])
    sys.stdout.writelines([sys.argv[1], "\\n"])
    print(sys.argv[1], file=sys.stderr)
    with tqdm(total=2, desc="outer"), tqdm(total=2, desc="inner"): pass
    WHAT
run(main)
"""


def test_all_but_layout_is_escaped() -> None:
    written = io.StringIO()
    stream = escaped(written, keep="\n\t")
    assert escaped(stream, keep="") is stream
    assert stream.write(f"{HOSTILE}\t–\n") == len(HOSTILE) + 3
    assert written.getvalue() == f"{SEEN}\t–\n"
    assert not stream.isatty()


def test_bars_may_move_the_cursor_and_a_command_may_allow_colours() -> None:
    written = io.StringIO()
    stream = escaped(written, keep="\n", sequences=BARS)
    stream.write("\r1 %\n\x1b[A\x1b[2J")
    assert written.getvalue() == "\r1 %\n\x1b[A\\x1b[2J"
    allow_colours(stream)
    stream.write("\x1b[1;31mERROR\x1b[0m\x1b]0;title")
    assert written.getvalue().endswith("\x1b[1;31mERROR\x1b[0m\\x1b]0;title")
    assert isinstance(stream, EscapedStream)


@pytest.mark.parametrize(
    "what",
    ["return", "raise KellyError(sys.argv[1])", "raise ValueError(sys.argv[1])", "open(sys.argv[1])",
     "import argparse; argparse.ArgumentParser().parse_args()", "import warnings; warnings.warn(sys.argv[1])"],
)  # fmt: skip
def test_commands_print_names_escaped(what: str) -> None:
    program = PROGRAM.replace("WHAT", what)
    done = subprocess.run([sys.executable, "-c", program, HOSTILE], capture_output=True, check=False)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert out == f"{SEEN}\t95\t→\n{SEEN}\n{SEEN}\n"
    assert SEEN in err
    assert "\r.mid" not in err
    assert all(c.isprintable() or c in "\n\r" for c in err.replace("\x1b[A", "")), err
    assert "outer:   0%" in err
