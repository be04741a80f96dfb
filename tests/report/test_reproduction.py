"""The commands that make a network again: settings that differ, as DVC reads them, and what is not brought back."""

import shlex
import subprocess
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML
from support.small_results import facts

from kelly.config import params
from kelly.report import reproduction
from kelly.report.model_results import Facts
from kelly.report.reproduction import changed, wanted, written


@pytest.fixture
def settings(project: Path) -> dict[str, Any]:
    """What the project's params.yaml says."""
    content: dict[str, Any] = YAML(typ="safe", pure=True).load((project / "params.yaml").read_text())
    return content


def trained_with(name: str, **changes: Any) -> Facts:
    """A network whose training, splitting or data (by their keys) were otherwise."""
    whole = facts(name)
    metadata: Any = deepcopy(dict(whole.metadata))
    for key, value in changes.items():
        place = metadata["data"]["splitting"] if key in metadata["data"]["splitting"] else metadata["params"]
        place = metadata["data"] if key in ("source", "settings") else place
        place[key] = value
    return replace(whole, metadata=metadata)


def test_what_the_commit_says_is_not_said_again(settings: dict[str, Any]) -> None:
    assert changed("groovepredictor", wanted(facts("groovepredictor").metadata), settings) == {}


def test_settings_that_differ_are_named_by_their_keys(settings: dict[str, Any]) -> None:
    found = trained_with("groovepredictor", learning_rate=0.002, test_split=0.3, num_threads=2)
    assert changed("groovepredictor", wanted(found.metadata), settings) == {
        "models.groovepredictor.learning_rate": 0.002,
        "test_split": 0.3,
        "num_threads": 2,
    }


def test_seeds_are_told_apart(settings: dict[str, Any]) -> None:
    other = trained_with("groovepredictor")
    other.metadata["params"]["seed"] = 7  # training alone
    assert changed("groovepredictor", wanted(other.metadata), settings) == {"training_seed": 7}
    other.metadata["data"]["splitting"]["seed"] = 7
    assert changed("groovepredictor", wanted(other.metadata), settings) == {
        "seed": 7,
        "models.groovepredictor.data.synthetic.seed": 42,
    }
    settings["training_seed"] = 3
    assert changed("groovepredictor", wanted(facts().metadata), settings) == {"training_seed": None}


def test_where_git_knows_nothing_all_settings_are_named() -> None:
    found = changed("groovepredictor", wanted(facts().metadata), {})
    assert {"seed", "training_seed", "device", "shuffle_inputs", "models.groovepredictor.epochs"} <= found.keys()
    assert found["models.groovepredictor.data.source"] == "synthetic"
    assert found["models.groovepredictor.data.synthetic.num_sequences"] == 12_500


@pytest.mark.parametrize(
    "settings_of_source",
    [
        {
            "path": "data/raw/my 'own' music, & [more] $HOME=1",
            "part": "drums",
            "window_s": None,
            "augmentation": {"copies": 2, "velocity": 0.2, "tempo": 0.1},
            "max_files": 7,
            "max_windows_per_piece": None,
            "max_skipped_share": 0.5,
        }
    ],
)
def test_dvc_gives_a_network_these_settings(
    project: Path, tmp_path: Path, settings: dict[str, Any], settings_of_source: dict[str, Any]
) -> None:
    found = trained_with("dynamicsengine", source="midi", settings=settings_of_source, epochs=7, shuffle_inputs=True,
                         early_stopping_min_delta_mode="abs", learning_rate=1e-05)  # fmt: skip
    for known in (settings, {}):
        line = reproduction.run(changed("dynamicsengine", wanted(found.metadata), known))
        words = shlex.split(line)
        assert words[:3] == ["dvc", "exp", "run"]
        (tmp_path / "params.yaml").write_text((project / "params.yaml").read_text())
        apply_overrides(tmp_path / "params.yaml", words[4::2])
        made = params.load(tmp_path / "params.yaml")["dynamicsengine"]
        assert made.source == "midi"
        assert dict(made.data) == settings_of_source
        assert made.training.model_dump() == found.metadata["params"]
        assert made.splitting.model_dump() == found.metadata["data"]["splitting"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "null"), (True, "true"), (0.1, "0.1"), (["bach", "a b"], "[bach,'a b']"), ("null", "'null'"), ("7", "'7'")],
)
def test_values_are_written_as_dvc_reads_them(value: object, expected: str) -> None:
    assert written(value) == expected


def test_a_repository_tells_what_its_settings_were(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text((project / "params.yaml").read_text().replace("epochs: 50 ", "epochs: 20 "))
    for line in ("init -q", "add .", "-c user.name=x -c user.email=x@y commit -qm x"):
        subprocess.run(["git", *line.split()], check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    whole = facts()
    at = replace(whole, metadata={**whole.metadata, "revision": commit})
    found = reproduction.of_network(at)
    assert list(found.lines) == [
        f"git checkout {commit}",
        "dvc exp run -S models.groovepredictor.epochs=50 evaluate@groovepredictor",
    ]
    assert list(found.notes) == []
    together = reproduction.of_all({"groovepredictor": at})
    assert together is not None
    assert together.lines[1] == "dvc exp run -S models.groovepredictor.epochs=50"
    changed_code = reproduction.of_network(replace(at, metadata={**at.metadata, "revision": f"{commit}-modified"}))
    assert changed_code.lines[0] == f"git checkout {commit}"
    assert "no commit holds" in changed_code.notes[0]


@pytest.mark.parametrize("revision", [None, "", "; rm -rf /", "--output=x", "0" * 40])
def test_a_revision_that_git_does_not_know_is_told(
    revision: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = facts()
    found = reproduction.of_network(replace(whole, metadata={**whole.metadata, "revision": revision}))
    assert "git does not know the settings of that commit here: all are named." in found.notes
    assert len(found.lines) == (2 if revision == "0" * 40 else 1)


def test_what_only_some_networks_are_is_told_under_their_name() -> None:
    one, other = facts("groovepredictor"), facts("dynamicsengine")
    networks = {
        "groovepredictor": one,
        "dynamicsengine": replace(other, metadata={**other.metadata, "origin": "averaged"}),
    }
    found = reproduction.of_all(networks)
    assert found is not None
    assert "DynamicsEngine: It was averaged or distilled, which kelly ensemble does." in found.notes
    assert not any(note.startswith("GroovePredictor") for note in found.notes)


def test_networks_that_need_other_shared_settings_are_not_made_by_one_command() -> None:
    one, other = facts("groovepredictor"), trained_with("dynamicsengine", test_split=0.3)
    assert reproduction.of_all({"groovepredictor": one, "dynamicsengine": other}) is None
