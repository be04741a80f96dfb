"""Mistakes in params.yaml as messages: the key, the value found, what was expected, what to do."""

import difflib
import re
import reprlib
from typing import Any

from pydantic import BaseModel, ValidationError

from kelly.config.sources import UNSUPPORTED, source_names
from kelly.tasks import TASKS

SHORT = reprlib.Repr()  # of a value in a message: YAML's aliases can make gigabytes of a line
SHORT.maxlevel, SHORT.maxlist, SHORT.maxdict, SHORT.maxstring = 2, 4, 4, 60


def describe_errors(error: ValidationError, params: type[BaseModel]) -> list[str]:
    """One line per mistake. params: the class that was validated."""
    lines = []
    for mistake in error.errors():
        key = ".".join(str(part) for part in mistake["loc"])
        match mistake["type"]:
            case "extra_forbidden":
                known = list(_section(params, mistake["loc"][:-1]).model_fields)
                close = difflib.get_close_matches(str(mistake["loc"][-1]), known, n=1, cutoff=0.5)
                hint = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}"
                lines.append(f"{key}: unknown key; {hint}")
            case "missing":
                lines.append(f"{key}: missing; add it")
            case "literal_error" if key.endswith("data.source") and _networks_of(mistake["input"]):
                lines.append(f"{key}: {_unsupported(str(mistake['loc'][1]), mistake['input'])}")
            case _:
                lines.append(f"{key}: found {SHORT.repr(mistake['input'])}, expected {expected(mistake)}")
    return lines


def expected(mistake: Any) -> str:
    """What pydantic expected, without its opening words."""
    words = re.sub(r"^((Input|List) should (be|have) |Value error, )", "", mistake["msg"])
    words = re.sub(r"a valid dictionary or instance of \w+", "a mapping of keys", words)
    return words.replace("a valid integer", "a whole number").replace("a valid ", "a ")


def _networks_of(source: object) -> list[str]:
    """Titles of the networks that can learn from a source."""
    return [task.title for name, task in TASKS.items() if source in source_names(name)]


def _unsupported(model: str, source: str) -> str:
    """Why a network cannot learn from a source, which networks can, and what this one learns from."""
    title = TASKS[model].title
    why = f", which {UNSUPPORTED[source]}" if source in UNSUPPORTED else ""
    return (
        f"{title} cannot learn from {source!r}{why}; it serves {', '.join(_networks_of(source))}. "
        f"{title} learns from {', '.join(source_names(model))}"
    )


def _section(params: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel]:
    """The part of the settings at a location within the file."""
    section = params
    for name in location:
        section = section.model_fields[str(name)].annotation  # type: ignore[assignment]
    return section
