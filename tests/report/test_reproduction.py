"""The commands that reproduce a network: settings that differ, in the form that DVC reads, and what they leave out."""

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import apply_overrides
from support.small_results import small_results, with_metadata

from kelly.config import params
from kelly.config.yaml_file import read_yaml
from kelly.report.model_results import ModelResults
from kelly.report.reproduction import changed_settings, dvc_command, hydra_value, reproduce, reproduce_all
from kelly.report.reproduction import wanted_settings as wanted


@pytest.fixture
def content(project: Path) -> dict[str, Any]:
    """The content of the project's params.yaml."""
    return read_yaml(project / "params.yaml")


def trained_with(name: str, **changes: Any) -> ModelResults:
    """The results of a network with other settings of training, splitting or data."""
    results = small_results(name)
    data = results.metadata["data"]
    for key, value in changes.items():
        block = next(block for block in (data, data["splitting"], results.metadata["params"]) if key in block)
        block[key] = value
    return results


def changed(results: ModelResults, content: dict[str, Any]) -> dict[str, Any]:
    return changed_settings(results.task.name, wanted(results.metadata), content)


def test_only_settings_that_differ_are_given_by_their_keys_in_params_yaml(content: dict[str, Any]) -> None:
    assert changed(small_results(), content) == {}
    results = trained_with("groovepredictor", learning_rate=0.002, test_split=0.3, num_threads=2)
    expected = {"models.groovepredictor.learning_rate": 0.002, "test_split": 0.3, "num_threads": 2}
    assert changed(results, content) == expected


def test_the_seeds_of_training_splitting_and_data_are_separate(content: dict[str, Any]) -> None:
    results = trained_with("groovepredictor")
    results.metadata["params"]["seed"] = 7
    assert changed(results, content) == {"training_seed": 7}
    results.metadata["data"]["splitting"]["seed"] = 7
    options = changed(results, content)
    assert options == {"seed": 7, "models.groovepredictor.data.synthetic.seed": 42}
    assert dvc_command(options, content).endswith("-S seed=7 -S ++models.groovepredictor.data.synthetic.seed=42")
    content["training_seed"] = 3
    assert changed(small_results(), content) == {"training_seed": None}


def test_without_the_params_of_the_commit_all_settings_are_listed() -> None:
    options = changed(small_results(), {})
    assert {"seed", "training_seed", "device", "shuffle_inputs", "models.groovepredictor.epochs"} <= options.keys()
    assert options["models.groovepredictor.data.source"] == "synthetic"
    assert options["models.groovepredictor.data.synthetic.num_sequences"] == 12_500


def test_dvc_gives_a_network_these_settings(project: Path, tmp_path: Path, content: dict[str, Any]) -> None:
    source_settings = {
        "path": "data/raw/my 'own' music, & [more] $HOME=1", "part": "drums", "window_s": None, "max_files": 7,
        "augmentation": {"copies": 2, "velocity": 0.2, "tempo": 0.1}, "max_windows_per_piece": None,
        "max_skipped_share": 0.5,
    }  # fmt: skip
    results = trained_with("dynamicsengine", source="midi", settings=source_settings, epochs=7, shuffle_inputs=True,
                           early_stopping_min_delta_mode="abs", learning_rate=1e-05)  # fmt: skip
    for known in (content, {}):
        words = shlex.split(dvc_command(changed(results, known), known))
        assert words[:3] == ["dvc", "exp", "run"]
        (tmp_path / "params.yaml").write_text((project / "params.yaml").read_text())
        apply_overrides(tmp_path / "params.yaml", words[4::2])
        config = params.load(tmp_path / "params.yaml")["dynamicsengine"]
        assert config.source == "midi"
        assert dict(config.data) == source_settings
        assert config.training.model_dump() == results.metadata["params"]
        assert config.splitting.model_dump() == results.metadata["data"]["splitting"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "null"), (True, "true"), (0.1, "0.1"), (["bach", "a b"], "[bach,'a b']"), ("null", "'null'"), ("7", "'7'")],
)
def test_values_follow_hydras_grammar(value: object, expected: str) -> None:
    assert hydra_value(value) == expected


def test_commands_check_out_the_commit_and_set_what_differs(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text((project / "params.yaml").read_text().replace("epochs: 50 ", "epochs: 20 "))
    for line in ("init -q", "add .", "-c user.name=x -c user.email=x@y commit -qm x"):
        subprocess.run(["git", *line.split()], check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    results = with_metadata(small_results(), revision=commit)
    reproduction = reproduce(results)
    run = "dvc exp run -S models.groovepredictor.epochs=50"
    assert list(reproduction.commands) == [f"git checkout {commit}", f"{run} evaluate@groovepredictor"]
    assert list(reproduction.notes) == []
    everything = reproduce_all({"groovepredictor": results})
    assert everything is not None
    assert everything.commands[1] == run
    modified = reproduce(with_metadata(results, revision=f"{commit}-modified"))
    assert modified.commands[0] == f"git checkout {commit}"
    assert "uncommitted changes" in modified.notes[0]


@pytest.mark.parametrize("revision", [None, "", "; rm -rf /", "--output=x", "0" * 40])
def test_an_unknown_revision_has_a_note_and_is_no_option_of_git(
    revision: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    reproduction = reproduce(with_metadata(small_results(), revision=revision))
    assert any("list all settings" in note for note in reproduction.notes)
    assert len(reproduction.commands) == (2 if revision == "0" * 40 else 1)


def test_notes_on_some_networks_name_them() -> None:
    distilled = with_metadata(small_results("dynamicsengine"), origin="averaged")
    reproduction = reproduce_all({"groovepredictor": small_results(), "dynamicsengine": distilled})
    assert reproduction is not None
    assert [note for note in reproduction.notes if "kelly ensemble" in note] == [
        "DynamicsEngine: It was averaged or distilled (kelly ensemble)."
    ]
    assert not any(note.startswith("GroovePredictor") for note in reproduction.notes)


def test_networks_with_different_shared_settings_have_no_common_command() -> None:
    other = trained_with("dynamicsengine", test_split=0.3)
    assert reproduce_all({"groovepredictor": small_results(), "dynamicsengine": other}) is None
