"""Files of users are read completely or refused at once: no reader waits for a pipe or fills the memory."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kelly.rtneural import reader as rtneural
from kelly.runtime.errors import KellyError
from kelly.runtime.files import read_bytes
from kelly.sources.layouts.groove import read_info
from kelly.sources.readers.midi import read_midi

Reader = Callable[[Path], object]


def refusal(path: Path, reader: Reader) -> str:
    with pytest.raises(KellyError) as caught:
        reader(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def read_ten(path: Path) -> bytes:
    return read_bytes(path, 10, "look again")


def test_a_file_is_read_completely(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    assert read_ten(tmp_path / "a") == b"0123456789"


def test_a_file_above_its_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789a")
    assert "11 bytes, expected at most 10; look again" in refusal(tmp_path / "a", read_ten)


@pytest.mark.parametrize("name", ["none", "none/none", "a\0b", "x" * 300, "\ud800"])
def test_a_name_without_a_file_is_refused(tmp_path: Path, name: str) -> None:
    assert "cannot be read (" in refusal(tmp_path / name, read_ten)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize(("reader", "name"), [(read_midi, "a.mid"), (read_info, "info.csv"), (rtneural.read, "a.json")])
def test_a_pipe_a_folder_and_a_loop_of_links_are_refused(tmp_path: Path, reader: Reader, name: str) -> None:
    def message() -> str:
        path = tmp_path if reader is read_info else tmp_path / name
        return refusal(path, reader)

    os.mkfifo(tmp_path / name)
    assert f"{name}: is a pipe, a socket or a device, expected a file" in message()
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    assert f"{name}: is a folder, expected a file" in message()
    (tmp_path / name).rmdir()
    (tmp_path / name).symlink_to(tmp_path / name)
    assert f"{name}: cannot be read (Too many levels of symbolic links)" in message()


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no endless device")
def test_an_endless_device_is_refused() -> None:
    assert "a device" in refusal(Path("/dev/zero"), read_ten)
