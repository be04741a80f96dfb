"""`kelly inspect`, on tiny folders in the published layouts."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.fuzz_inputs import GROOVE
from support.published_layouts import (
    write_lakh_full,
    write_lakh_matched,
    write_maestro,
    write_midi_folder,
    write_pop909,
    write_vgmidi,
)

from kelly.commands.inspect import inspect
from kelly.config.sources import UNSUPPORTED, source_names
from kelly.runtime.errors import KellyError
from kelly.sources.layouts import LAYOUTS
from kelly.tasks import TASKS

PNG = b"\x89PNG"


@pytest.fixture(autouse=True)
def _in_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)


def printed(path: Path, capsys: pytest.CaptureFixture[str], max_files: int | None = None) -> str:
    inspect(path, None, max_files, path.parent / "picture.png")
    return capsys.readouterr().out


def row(text: str, network: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if line.startswith(network))
    return line.split(maxsplit=3)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("maestro", write_maestro),
        ("lakh", write_lakh_full),
        ("lakh", write_lakh_matched),
        ("pop909", write_pop909),
        ("vgmidi", write_vgmidi),
        ("midi", write_midi_folder),
    ],
)
def test_every_layout_is_found_and_says_which_networks_it_serves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, write: Callable[[Path], Path]
) -> None:
    text = printed(write(tmp_path / "music"), capsys)
    assert LAYOUTS[name].title in text
    for network, task in TASKS.items():
        cells = row(text, task.title)
        if name in source_names(task.name):
            assert int(cells[1]) >= 5
            assert int(cells[2]) >= int(cells[1])
            assert f"dvc exp run -S models.{network}.data.source={name} " in text
        else:
            assert cells[3] == f"nothing: {LAYOUTS[name].title} {UNSUPPORTED[name]}"
    (picture,) = tmp_path.rglob("picture.png")
    assert picture.read_bytes().startswith(PNG)


def test_files_that_cannot_be_read_are_told_with_their_reasons(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_midi_folder(tmp_path / "music")
    (folder / "broken.mid").write_bytes(b"no music")
    (folder / "empty.mid").write_bytes(b"")
    text = printed(folder, capsys)
    assert "10 files: 8 can be read, 2 cannot" in text
    assert "1 × not a MIDI file: it begins with b'no m', expected b'MThd'" in text
    assert "broken.mid" in text


def test_a_folder_without_anything_to_read_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.mid").write_bytes(b"no music")
    with pytest.raises(KellyError, match="none of 1 files can be read"):
        inspect(tmp_path, None, None, tmp_path / "picture.png")
    assert not (tmp_path / "picture.png").exists()
    assert "1 files: 0 can be read, 1 cannot" in capsys.readouterr().out


def test_what_is_no_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(KellyError, match="found nothing, expected a folder of music"):
        inspect(tmp_path / "absent", None, None, tmp_path / "picture.png")


def test_copies_count_as_one_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_midi_folder(tmp_path / "music", labels=False)
    original = max(folder.glob("*.mid"), key=lambda path: path.stat().st_size)
    (folder / "the same.mid").write_bytes(original.read_bytes())
    text = printed(folder, capsys)
    assert "9 files: 9 can be read" in text
    assert "8 works" in text


def test_a_limit_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(write_midi_folder(tmp_path / "music", labels=False), capsys, max_files=5)
    assert "5 files: 5 can be read, 0 cannot (3 more were not looked at)" in text


@pytest.mark.skipif(not GROOVE.exists(), reason="the Groove MIDI Dataset is not here")
def test_real_drumming_shows_what_it_does_not_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inspect(GROOVE, None, 40, tmp_path / "picture.png")
    text = capsys.readouterr().out
    assert "Groove MIDI Dataset" in text
    assert int(row(text, "GroovePredictor")[1]) >= 38
    (register,) = (line for line in text.splitlines() if line.startswith("  register"))
    assert register.endswith("hardly varies: this music does not tell it")
    (loudness,) = (line for line in text.splitlines() if line.startswith("  loudness"))
    assert not loudness.endswith("tell it")
