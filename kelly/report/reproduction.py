"""The commands that make a network again: the commit of its code, and the settings that were not the commit's own."""

import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from kelly.config.effective import flat, settings
from kelly.config.params import PARAMS_FILE, Overrides
from kelly.report.model_results import Facts

MODIFIED = "-modified"
COMMIT = re.compile(r"[0-9a-f]{7,64}")
PLAIN = re.compile(r"[A-Za-z_./][\w./-]*")  # a word that needs no quotes within an option
RESERVED = {"null", "true", "false", "nan", "inf"}


@dataclass(frozen=True)
class Reproduction:
    """How a network, or all of them, is made again.

    lines: commands; notes: what is to be known of them, in words
    """

    lines: Sequence[str]
    notes: Sequence[str] = ()


def of_network(facts: Facts) -> Reproduction:
    """The commands for one network."""
    params = params_at(facts.revision)
    options = changed(facts.task.name, wanted(facts.metadata), params)
    lines = [*checkout(facts.revision), run(options, f"evaluate@{facts.task.name}")]
    return Reproduction(lines, notes(facts, params))


def of_all(networks: Mapping[str, Facts]) -> Reproduction | None:
    """The commands for all networks at once; None where they need several states of the code or of shared settings."""
    first, *others = networks.values()
    if any(f.revision != first.revision or shared(f.metadata) != shared(first.metadata) for f in others):
        return None
    params = params_at(first.revision)
    options: dict[str, Any] = {}
    for name, facts in networks.items():
        options |= changed(name, wanted(facts.metadata), params)
    told = [(facts, note) for facts in networks.values() for note in notes(facts, params)]
    everywhere = [note for note in notes(first, params) if sum(other == note for _, other in told) == len(networks)]
    some = [f"{facts.task.title}: {note}" for facts, note in told if note not in everywhere]
    return Reproduction([*checkout(first.revision), run(options)], [*everywhere, *some])


def checkout(revision: str) -> list[str]:
    """The command that brings the code back, where a commit is known."""
    commit = revision.removesuffix(MODIFIED)
    return [f"git checkout {commit}"] if COMMIT.fullmatch(commit) else []


def run(options: Mapping[str, Any], *targets: str) -> str:
    """The command that trains with these settings."""
    words = [word for key, value in options.items() for word in ("-S", f"{key}={written(value)}")]
    return shlex.join(["dvc", "exp", "run", *words, *targets])


def notes(facts: Facts, params: Mapping[str, Any]) -> list[str]:
    """What the commands do not bring back."""
    found = []
    if facts.revision.endswith(MODIFIED):
        found.append("The code had changes that no commit holds: the commands come near, and no nearer.")
    if not params:
        found.append("git does not know the settings of that commit here: all are named.")
    if facts.metadata["data"].get("fold"):
        found.append("It was trained on a fold of a cross-validation, which kelly crossval makes.")
    if facts.metadata.get("origin"):
        found.append("It was averaged or distilled, which kelly ensemble does.")
    return found


def params_at(revision: str) -> Mapping[str, Any]:
    """What params.yaml said at a revision; {} where git does not know."""
    commit = revision.removesuffix(MODIFIED)
    if not COMMIT.fullmatch(commit):
        return {}
    try:
        shown = subprocess.run(["git", "show", f"{commit}:./{PARAMS_FILE}"], capture_output=True, check=False)
        content = YAML(typ="safe", pure=True).load(shown.stdout) if shown.returncode == 0 else {}
    except (OSError, YAMLError):
        return {}
    return content if isinstance(content, dict) and isinstance(content.get("models"), dict) else {}


def wanted(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a network by their names without the network's, from what its export says of itself."""
    data, source = metadata["data"], metadata["data"]["source"]
    own = dict(flat({"data": {"source": source, source: data["settings"]}}))
    return {**shared(metadata), **{key: metadata["params"][key] for key in own_keys(metadata)}, **own}


def shared(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Those of them that hold for all networks."""
    training, splitting = metadata["params"], metadata["data"]["splitting"]
    rest = {key: value for key, value in training.items() if key != "seed" and key not in Overrides.model_fields}
    alone = None if training["seed"] == splitting["seed"] else training["seed"]
    return {**splitting, "training_seed": alone, **rest}


def own_keys(metadata: Mapping[str, Any]) -> list[str]:
    """Settings of training that a network may have for itself."""
    return [key for key in metadata["params"] if key in Overrides.model_fields]


def changed(model: str, values: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, by their keys in params.yaml, that it has otherwise, or does not have."""
    told = {name: setting.value for name, setting in settings(params, model).items()}
    found = {}
    if params:
        before = params.get("training_seed")
        # Where it is null the seed counts, in the file as in `values`.
        told["training_seed"] = None if before in (None, values["seed"]) else before
        seed = f"data.{values['data.source']}.seed"
        if seed in told and told[seed] is None:
            told[seed] = values["seed"]
    for name, value in values.items():
        if name not in told or told[name] != value:
            is_own = name in Overrides.model_fields or name.startswith("data.")
            found[f"models.{model}.{name}" if is_own else name] = value
    return found


def written(value: Any) -> str:
    """A value as `dvc exp run -S` reads it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{','.join(written(one) for one in value)}]"
    if not isinstance(value, str) or (PLAIN.fullmatch(value) and value.lower() not in RESERVED):
        return str(value)
    return "'" + value.replace("'", r"\'") + "'"
