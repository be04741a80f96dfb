"""Folders of music through the real commands: DVC's, and those of the seed document."""

import json
import shutil
from pathlib import Path

import pytest
from support.clone import SMALL, Clone, Folder, choose
from support.published_layouts import write_lakh_full, write_maestro, write_midi_folder, write_pop909

from kelly.data.dataset import read_metadata

pytestmark = pytest.mark.pipeline

SOURCES = {
    "melodytransformer": "lakh",
    "harmonypredictor": "pop909",
    "dynamicsengine": "maestro",
    "groovepredictor": "midi",
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which four networks were trained for two epochs on folders of music, by DVC."""
    clone = Clone(Path(__file__).parents[2], tmp_path_factory.mktemp("own-music"), SMALL)
    raw = clone.folder / "data" / "raw"
    raw.mkdir(parents=True)
    write_lakh_full(raw, 8)
    shutil.move(write_pop909(raw / "pop", 8), raw / "POP909")
    shutil.move(write_maestro(raw / "piano", 8), raw / "maestro-v3.0.0")
    write_midi_folder(raw / "midi", 10, labels=False)  # without ratings, which a copy would not have
    choose(clone.folder, {f"models.{name}.data.source": source for name, source in SOURCES.items()})
    clone.run("dvc", "repro", "-q", *(f"evaluate@{name}" for name in SOURCES))
    return clone


def test_four_networks_learn_from_four_folders(trained: Clone) -> None:
    for name, source in SOURCES.items():
        metadata = read_metadata(trained.folder / "data" / "datasets" / name)
        assert metadata["source"] == source
        assert metadata["facts"]["skipped"] == []
        scores = json.loads((trained.folder / "metrics" / f"{name}.json").read_text())[name]
        assert scores["parity_error"] < 1e-5
        assert scores["num_train"] > scores["num_test"] > 0


def test_an_added_file_is_reported_before_outdated_data_is_used(trained: Clone) -> None:
    assert "GroovePredictor: midi" in trained.run("kelly", "check")
    folder = trained.folder / "data" / "raw" / "midi"
    shutil.copy(folder / "take 0.mid", folder / "new.mid")
    message = trained.run("kelly", "check", code=1)
    assert "GroovePredictor: data/raw/midi: dvc repro -f -s generate@groovepredictor" in message
    trained.run("dvc", "repro", "-q", "-f", "-s", "generate@groovepredictor")
    metadata = read_metadata(trained.folder / "data" / "datasets" / "groovepredictor")
    assert metadata["facts"]["duplicates"] == [{"file": "take 0.mid", "same_as": "new.mid"}]
    trained.run("kelly", "check")


def test_train_all_models_generates_the_data_again_when_a_file_was_removed(tmp_path: Path) -> None:
    folder = Folder(Path(__file__).parents[2], tmp_path)
    music = write_midi_folder(tmp_path / "data" / "raw" / "midi", 10, labels=False)
    choose(tmp_path, {"models.groovepredictor.data.source": "midi"})
    train = ("train_all_models.py", "--models", "GroovePredictor", "-o", "out", "-e", "1")
    folder.run(*train)
    first = read_metadata(tmp_path / "out" / "data" / "datasets" / "groovepredictor")
    (music / "take 0.mid").unlink()
    folder.run(*train)
    second = read_metadata(tmp_path / "out" / "data" / "datasets" / "groovepredictor")
    assert (first["facts"]["files"], second["facts"]["files"]) == (10, 9)
