"""`kelly inspect`, on tiny folders in the published layouts."""

from argparse import Namespace
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

from kelly.commands import inspect
from kelly.config.sources import UNSUPPORTED, source_names
from kelly.runtime.errors import KellyError
from kelly.sources.layouts import LAYOUTS
from kelly.tasks import TASKS

pytestmark = pytest.mark.slow


@pytest.fixture
def report(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """What the command prints of a folder; its plot is tmp_path/plot.png."""
    monkeypatch.chdir(project)

    def run(path: Path, max_files: int | None = None) -> str:
        inspect.run(Namespace(path=path, layout=None, max_files=max_files, plot=tmp_path / "plot.png"))
        return capsys.readouterr().out

    return run


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
def test_every_layout_is_detected_with_the_networks_that_it_serves(
    tmp_path: Path, report: Callable[..., str], name: str, write: Callable[[Path], Path]
) -> None:
    folder = write(tmp_path / "music")
    text = report(folder)
    assert LAYOUTS[name].title in text
    for network, task in TASKS.items():
        cells = row(text, task.title)
        if name in source_names(network):
            assert int(cells[2]) >= int(cells[1]) >= 5
            # `++`, as params.yaml leaves the path out.
            data = f"models.{network}.data"
            assert f"dvc exp run -S {data}.source={name} -S ++{data}.{name}.path={folder}" in text
        else:
            assert cells[3] == f"nothing: {LAYOUTS[name].title} {UNSUPPORTED[name]}"
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_files_that_cannot_be_read_are_reported_with_their_reasons(tmp_path: Path, report: Callable[..., str]) -> None:
    folder = write_midi_folder(tmp_path / "music")
    (folder / "broken.mid").write_bytes(b"no music")
    (folder / "empty.mid").write_bytes(b"")
    text = report(folder)
    assert "10 files: 8 readable, 2 not" in text
    assert "1 × not a MIDI file" in text
    assert "broken.mid" in text


def test_a_folder_without_a_readable_file_is_an_error(
    tmp_path: Path, report: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.mid").write_bytes(b"no music")
    with pytest.raises(KellyError, match="none of 1 files can be read"):
        report(tmp_path)
    assert not (tmp_path / "plot.png").exists()
    assert "1 files: 0 readable, 1 not" in capsys.readouterr().out


def test_a_missing_folder_is_an_error(tmp_path: Path, report: Callable[..., str]) -> None:
    with pytest.raises(KellyError, match="found nothing, expected a folder of music"):
        report(tmp_path / "absent")


def test_copies_count_as_one_work_and_a_limit_is_reported(tmp_path: Path, report: Callable[..., str]) -> None:
    folder = write_midi_folder(tmp_path / "music", labels=False)
    original = max(folder.glob("*.mid"), key=lambda path: path.stat().st_size)
    (folder / "the same.mid").write_bytes(original.read_bytes())
    text = report(folder)
    assert "9 files: 9 readable" in text
    assert "8 works" in text
    assert "5 files: 5 readable, 0 not (4 more were not looked at)" in report(folder, max_files=5)


@pytest.mark.skipif(not GROOVE.exists(), reason="the Groove MIDI Dataset is not here")
def test_coordinates_that_real_drumming_does_not_show_are_named(report: Callable[..., str]) -> None:
    text = report(GROOVE, max_files=40)
    assert "Groove MIDI Dataset" in text
    assert int(row(text, "GroovePredictor")[1]) >= 38
    lines = {line.split()[0]: line for line in text.splitlines() if line.startswith("  ")}
    assert "nearly constant" in lines["register"]
    assert "nearly constant" not in lines["loudness"]
