"""Folders of music: through DVC, and through the commands of the seed document."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.clone import Clone, Folder, choose
from support.command_line import run_script
from support.published_layouts import write_lakh_full, write_maestro, write_midi_folder, write_pop909

from kelly.data.dataset import read_metadata

pytestmark = pytest.mark.pipeline

SOURCES = {
    "melodytransformer": "lakh", "harmonypredictor": "pop909", "dynamicsengine": "maestro", "groovepredictor": "midi"
}  # fmt: skip


def test_an_added_file_is_reported_before_outdated_data_is_used(
    finished_clone: Callable[[Path], Clone], tmp_path: Path
) -> None:
    clone = finished_clone(tmp_path)
    folder, data = tmp_path / "data/raw/midi", tmp_path / "data/datasets/groovepredictor"
    folder.parent.mkdir(parents=True)
    write_midi_folder(folder, 10, labels=False)  # without ratings, which a copy would not have
    choose(tmp_path, {"models.groovepredictor.data.source": "midi"})
    clone.dvc("repro", "-q", "evaluate@groovepredictor")
    assert read_metadata(data)["source"] == "midi"
    scores = json.loads(clone.read("metrics/groovepredictor.json"))["groovepredictor"]
    assert scores["parity_error"] < 1e-5
    assert scores["num_train"] > scores["num_test"] > 0
    shutil.copy(folder / "take 0.mid", folder / "new.mid")
    message = clone.run("kelly", "check", code=1)
    assert "GroovePredictor: data/raw/midi: dvc repro -f -s generate@groovepredictor" in message
    clone.dvc("repro", "-q", "-f", "-s", "generate@groovepredictor")
    assert read_metadata(data)["facts"]["duplicates"] == [{"file": "take 0.mid", "same_as": "new.mid"}]
    clone.run("kelly", "check")


def test_train_all_models_learns_from_folders_and_generates_again_when_a_file_was_removed(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Folder(project, tmp_path)
    monkeypatch.chdir(tmp_path)
    raw = Path("data/raw")
    raw.mkdir(parents=True)
    write_lakh_full(raw, 8)
    shutil.move(write_pop909(raw / "pop", 8), raw / "POP909")
    shutil.move(write_maestro(raw / "piano", 8), raw / "maestro-v3.0.0")
    midi = write_midi_folder(raw / "midi", 10, labels=False)
    choose(tmp_path, {f"models.{name}.data.source": source for name, source in SOURCES.items()})
    choose(tmp_path, {"extraction.num_workers": 1})
    run_script("train_all_models.py", "-e", "1", "--no-plots", "--models", *SOURCES)
    for name, source in SOURCES.items():
        metadata = json.loads(Path(f"trained_models/{name}.json").read_text())["metadata"]
        assert metadata["parity_error"] < 1e-5
        data = read_metadata(Path("trained_models/data/datasets") / name)
        assert (data["source"], data["facts"]["skipped"]) == (source, [])
    (midi / "take 0.mid").unlink()
    run_script("train_all_models.py", "-e", "1", "--no-plots", "--models", "groovepredictor")
    assert data["facts"]["files"] == 10
    assert read_metadata(Path("trained_models/data/datasets/groovepredictor"))["facts"]["files"] == 9
