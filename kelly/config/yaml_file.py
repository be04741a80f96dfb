"""YAML read as DVC reads it: version 1.2, in which 1e-3 is a number and `on` a word; no key may appear twice.

PyYAML follows version 1.1: its resolvers are replaced by those of the core schema (YAML 1.2.2, section 10.3.2). `<<`
merges a mapping, as in both libraries.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from kelly.runtime.errors import KellyError
from kelly.runtime.system_errors import raise_system_error


class Yaml12Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2; raises yaml.YAMLError for a duplicate key."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012, as PyYAML declares it

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a dict; raises ConstructorError where a key appears twice."""
        keys: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, list | dict):
                continue  # refused below as unhashable
            if key in keys:
                raise yaml.constructor.ConstructorError(
                    "while constructing a mapping", node.start_mark, f"found duplicate key {key!r}", key_node.start_mark
                )
            keys.add(key)
        return super().construct_mapping(node, deep)

    def construct_int(self, node: yaml.ScalarNode) -> int:
        """Decimal, 0o17 or 0x1f; underscores as in ruamel."""
        text = str(self.construct_scalar(node)).replace("_", "")
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))

    def construct_float(self, node: yaml.ScalarNode) -> float:
        """A number with a point or an exponent, .inf or .nan."""
        text = str(self.construct_scalar(node)).lower().replace("_", "")
        return float(text.replace(".inf", "inf").replace(".nan", "nan"))


_FLOAT = r"[-+]?(\.[0-9_]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9][0-9_]*|0o[0-7_]+|0x[0-9a-fA-F_]+", "-+0123456789"),
    ("float", _FLOAT, "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
):
    Yaml12Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))
Yaml12Loader.add_constructor("tag:yaml.org,2002:int", Yaml12Loader.construct_int)
Yaml12Loader.add_constructor("tag:yaml.org,2002:float", Yaml12Loader.construct_float)


def parse_yaml(text: str | bytes) -> Any:
    """Parse a YAML 1.2 document. Raises yaml.YAMLError, ValueError or RecursionError where it is none."""
    return yaml.load(text, Yaml12Loader)  # noqa: S506, it is a subclass of SafeLoader


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the mapping in a YAML file. Raises KellyError where it is missing, unreadable, empty or not a mapping."""
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise KellyError(
            f"{path} is missing; run from the project's folder, or restore it: git checkout {path}"
        ) from None
    except (OSError, ValueError, yaml.YAMLError) as error:  # ValueError: not UTF-8
        raise_system_error(error, path)
        raise KellyError(f"{path} cannot be read as YAML in UTF-8: {error}") from None
    except RecursionError:
        raise KellyError(f"{path} cannot be read as YAML: it is nested too deeply; see git show HEAD:{path}") from None
    if not isinstance(content, dict):
        found = "nothing" if content is None else f"a {type(content).__name__}"
        raise KellyError(f"{path} contains {found}, expected settings as `key: value`; see git show HEAD:{path}")
    return content
