"""What a params.yaml says for one network: its own values in the place of the shared ones, by dotted keys."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

APART = ("models", "search", "extraction", "training_seed")  # which change no result; seeds are told by themselves


class Setting(NamedTuple):
    """A value that holds for a network, and the key in params.yaml that says so."""

    key: str
    value: Any


def settings(params: Mapping[str, Any], model: str) -> dict[str, Setting]:
    """What params.yaml says for one network, its own values in the place of the shared ones, of its source alone."""
    found = {key: Setting(key, value) for key, value in params.items() if key not in APART}
    own = params.get("models", {}).get(model, {})
    data = own.get("data", {})
    chosen = {f"data.{source}": data[source] for source in [data.get("source")] if source in data}
    for key, value in flat({**own, "data": {"source": data.get("source")}, **chosen}):
        if value is not None or key not in found:
            found[key] = Setting(f"models.{model}.{key}", value)
    return found


def flat(block: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of nested mappings."""
    for key, value in block.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
