"""Names from outside in a terminal and in pages."""

import subprocess
import sys
from pathlib import Path

import pytest

from kelly.runtime.text import printable, printable_values

HOSTILE = "a\x1b[31m\u202e\x9b\udcff\r\n.mid"


def test_what_is_not_to_be_seen_is_escaped_and_the_rest_is_kept() -> None:
    assert printable(HOSTILE) == r"a\x1b[31m\u202e\x9b\udcff\r\n.mid"
    assert printable("Dvořák – “Ständchen” 日本.mid\n", keep="\n") == "Dvořák – “Ständchen” 日本.mid\n"
    facts = {"files": 1, "skipped": ({"file": "a\x1b.mid"},), "rate": None}
    assert printable_values(facts) == {"files": 1, "skipped": [{"file": r"a\x1b.mid"}], "rate": None}


@pytest.mark.parametrize("arguments", [["inspect"], ["inspect", "--layout", "midi"]])
def test_names_of_files_are_no_control_sequences(tmp_path: Path, arguments: list[str]) -> None:
    folder = tmp_path / "songs\x1b[31m"
    folder.mkdir()
    for name in ("a\x1b[31m.mid", "b\u202e.mid", "c\udcff.mid", "d\n.mid"):
        (folder / name).write_bytes(b"no music")
    code = "from kelly.commands.main import main; main()"
    command = [sys.executable, "-c", code, *arguments, str(folder), "--plot", str(tmp_path / "plot.png")]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    for stream in (done.stdout, done.stderr):
        text = stream.decode()
        assert not [c for c in text if not c.isprintable() and c != "\n"]
    assert rb"c\udcff.mid" in done.stdout
