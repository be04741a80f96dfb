"""Folders in the published layouts are detected and listed completely; others are errors."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.published_layouts import (
    names,
    write_deam_static,
    write_lakh_full,
    write_lakh_matched,
    write_maestro,
    write_midi_folder,
    write_pop909,
    write_vgmidi,
)

from kelly.runtime.errors import KellyError
from kelly.sources.layouts import LAYOUTS, layout_of
from kelly.sources.readers.midi import read_midi

WRITERS: dict[str, Callable[[Path], Path]] = {
    "maestro": write_maestro,
    "lakh": write_lakh_full,
    "pop909": write_pop909,
    "vgmidi": write_vgmidi,
    "midi": write_midi_folder,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_layout_is_detected_and_its_pieces_are_listed_in_order(tmp_path: Path, name: str) -> None:
    path = WRITERS[name](tmp_path)
    assert layout_of(path).name == name
    manifest = LAYOUTS[name].list_pieces(path)
    assert len(manifest.entries) >= 6
    assert manifest.unusable == []
    assert names(manifest) == sorted(set(names(manifest)))
    assert all(entry.path == path / entry.name for entry in manifest.entries)
    pieces = [read_midi(entry.path).notes for entry in manifest.entries]
    assert len({notes.onset_s.tobytes() + notes.pitch.tobytes() for notes in pieces}) == len(pieces)
    assert any(notes.is_drum.any() for notes in pieces) == (name in ("lakh", "midi"))
    assert all(np.ptp(notes.velocity) > 10 for notes in pieces)


def test_layouts_are_detected_from_the_parent_folder_too_and_others_are_not(tmp_path: Path) -> None:
    write_lakh_matched(tmp_path / "lakh")
    assert layout_of(tmp_path / "lakh").name == layout_of(tmp_path / "lakh/lmd_matched").name == "lakh"
    write_pop909(tmp_path / "pop")
    assert layout_of(tmp_path / "pop").name == layout_of(tmp_path / "pop/POP909").name == "pop909"
    assert layout_of(write_deam_static(tmp_path / "deam")).name == "deam"
    (tmp_path / "groove").mkdir()
    (tmp_path / "groove/info.csv").write_text("id")
    assert layout_of(tmp_path / "groove").name == "groove"
    for name in ("own/1/song.mid", "own/a/song.mid", "own/A/B/C/TRIO/song.mid", "own/annotations/song.mid"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"MThd")
    assert layout_of(tmp_path / "own").name == layout_of(tmp_path / "missing").name == "midi"


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_folder_that_is_missing_or_of_another_layout_is_an_error_with_the_fix(tmp_path: Path, name: str) -> None:
    options = {"groove": {"test_split": "test"}, "deam": {"ratings": "dynamic"}}.get(name, {})
    fix = r"set (its path|data\.\w+\.path) to"
    with pytest.raises(KellyError, match=f"(?s)missing.*({fix}.*No such file|No such file.*{fix})"):
        LAYOUTS[name].list_pieces(tmp_path / "missing", **options)
    (tmp_path / "empty").mkdir()
    with pytest.raises(KellyError, match=f"(?s)empty.*{fix}"):
        LAYOUTS[name].list_pieces(tmp_path / "empty", **options)
