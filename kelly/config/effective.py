"""The effective settings of one network in a params.yaml: its own in place of the shared ones, under dotted keys."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kelly.config.sources import SOURCE_CONFIGS, StrictModel

# Keys without an effect on results, an anchor, and the training seed, which runs are compared by separately.
EXCLUDED = ("models", "search", "extraction", "as_shared", "training_seed")


class Setting(NamedTuple):
    """The value of a setting for a network, and its key in params.yaml."""

    key: str
    value: Any


def settings(params: Mapping[str, Any], model: str) -> dict[str, Setting]:
    """The effective settings of one network by their keys without the network's; of its chosen source alone.

    params: the content of a params.yaml, not validated. What it leaves out of a source has its default.
    """
    found = {key: Setting(key, value) for key, value in params.items() if key not in EXCLUDED}
    overrides = params.get("models", {}).get(model, {})
    data = overrides.get("data", {})
    source = data.get("source")
    own = dict(flatten({**overrides, "data": {"source": source}}))
    if source in SOURCE_CONFIGS[model]:
        own |= flatten(source_defaults(model, source), f"data.{source}.")
    own |= flatten(data.get(source) or {}, f"data.{source}.")
    for key, value in own.items():
        if value is not None or key not in found:
            found[key] = Setting(f"models.{model}.{key}", value)
    return found


def source_defaults(model: str, source: str) -> dict[str, Any]:
    """The defaults of the settings of one source of a network, nested as in params.yaml."""
    settings = SOURCE_CONFIGS[model][source]
    if isinstance(settings, StrictModel):
        return settings.model_dump()
    return {name: field.default for name, field in settings.model_fields.items() if not field.is_required()}


def flatten(block: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of nested mappings."""
    for key, value in block.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
