"""The commands that reproduce a network: check out the commit of its code, and run with the settings that differ."""

import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from kelly.config.effective import flatten, settings
from kelly.config.params import PARAMS_FILE, Overrides
from kelly.config.yaml_file import parse_yaml
from kelly.report.model_results import ModelResults

MODIFIED = "-modified"
COMMIT = re.compile(r"[0-9a-f]{7,64}")
PLAIN = re.compile(r"[A-Za-z_./][\w./-]*")  # a word that needs no quotes in an option
RESERVED = {"null", "true", "false", "nan", "inf"}


@dataclass(frozen=True)
class Reproduction:
    """How to reproduce one network or all of them. commands: one per line; notes: what they do not reproduce."""

    commands: Sequence[str]
    notes: Sequence[str] = ()


def reproduce(results: ModelResults) -> Reproduction:
    """The commands for one network."""
    params = params_at(results.revision)
    options = changed_settings(results.task.name, wanted_settings(results.metadata), params)
    run = dvc_command(options, params, f"evaluate@{results.task.name}")
    return Reproduction([*checkout(results.revision), run], notes(results, params))


def reproduce_all(results: Mapping[str, ModelResults]) -> Reproduction | None:
    """The commands for all networks at once; None where they need different commits or shared settings."""
    first, *others = results.values()
    shared = shared_settings(first.metadata)
    if any(r.revision != first.revision or shared_settings(r.metadata) != shared for r in others):
        return None
    params = params_at(first.revision)
    options: dict[str, Any] = {}
    for name, r in results.items():
        options |= changed_settings(name, wanted_settings(r.metadata), params)
    each = {r.task.title: notes(r, params) for r in results.values()}
    common = [note for note in notes(first, params) if all(note in network for network in each.values())]
    single = [f"{title}: {note}" for title, network in each.items() for note in network if note not in common]
    return Reproduction([*checkout(first.revision), dvc_command(options, params)], [*common, *single])


def checkout(revision: str) -> list[str]:
    """The command that restores the code, if a commit is known."""
    commit = revision.removesuffix(MODIFIED)
    return [f"git checkout {commit}"] if COMMIT.fullmatch(commit) else []


def dvc_command(options: Mapping[str, Any], params: Mapping[str, Any], *targets: str) -> str:
    """The command that runs the pipeline with these settings; ++ adds a key that `params` lacks."""
    present = dict(flatten(params))
    assignments = [f"{'' if key in present else '++'}{key}={hydra_value(value)}" for key, value in options.items()]
    return shlex.join(["dvc", "exp", "run", *(word for text in assignments for word in ("-S", text)), *targets])


def notes(results: ModelResults, params: Mapping[str, Any]) -> list[str]:
    """What the commands do not reproduce."""
    found = []
    if results.revision.endswith(MODIFIED):
        found.append("The code had uncommitted changes, so the commands reproduce it only approximately.")
    if not params:
        found.append("git does not have params.yaml at that commit here, so the commands list all settings.")
    if results.metadata["data"].get("fold"):
        found.append("It was trained on a fold of a cross-validation (kelly crossval).")
    if results.metadata.get("origin"):
        found.append("It was averaged or distilled (kelly ensemble).")
    return found


def params_at(revision: str) -> Mapping[str, Any]:
    """The content of params.yaml at a revision; {} if git does not have it."""
    commit = revision.removesuffix(MODIFIED)
    if not COMMIT.fullmatch(commit):
        return {}
    try:
        shown = subprocess.run(["git", "show", f"{commit}:./{PARAMS_FILE}"], capture_output=True, check=False)
        content = parse_yaml(shown.stdout) if shown.returncode == 0 else {}
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) and isinstance(content.get("models"), dict) else {}


def wanted_settings(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a network, by their keys without the network's, from the metadata of its export."""
    training, data = metadata["params"], metadata["data"]
    own = {key: value for key, value in training.items() if key in Overrides.model_fields}
    own |= flatten({"data": {"source": data["source"], data["source"]: data["settings"]}})
    return {**shared_settings(metadata), **own}


def shared_settings(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a network that apply to all networks."""
    training, splitting = metadata["params"], metadata["data"]["splitting"]
    shared = {key: value for key, value in training.items() if key != "seed" and key not in Overrides.model_fields}
    training_seed = None if training["seed"] == splitting["seed"] else training["seed"]
    return {**splitting, "training_seed": training_seed, **shared}


def changed_settings(model: str, wanted: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that differ from `params`, the content of a params.yaml, by their keys in it; all if it is {}."""
    present = {name: setting.value for name, setting in settings(params, model).items()}
    if params:
        # null means the seed, in the file as in `wanted`.
        training_seed = params.get("training_seed")
        present["training_seed"] = None if training_seed in (None, wanted["seed"]) else training_seed
        data_seed = f"data.{wanted['data.source']}.seed"
        if data_seed in present and present[data_seed] is None:
            present[data_seed] = wanted["seed"]
    changed = {}
    for name, value in wanted.items():
        if name not in present or present[name] != value:
            is_own = name in Overrides.model_fields or name.startswith("data.")
            changed[f"models.{model}.{name}" if is_own else name] = value
    return changed


def hydra_value(value: Any) -> str:
    """A value in the grammar of `dvc exp run -S`, which is Hydra's."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{','.join(hydra_value(item) for item in value)}]"
    if not isinstance(value, str) or (PLAIN.fullmatch(value) and value.lower() not in RESERVED):
        return str(value)
    return "'" + value.replace("'", r"\'") + "'"
