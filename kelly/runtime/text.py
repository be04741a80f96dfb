"""Text that comes from outside, such as names of files, where it could do more than be read."""

from typing import Any


def printable(text: str, keep: str = "") -> str:
    r"""The text with all that is not to be seen as an escape, as repr does: \x1b, \u202e, \udcff, \n.

    That is control sequences of a terminal, marks that change the direction of writing, line breaks, and bytes of a
    file name that are not UTF-8. keep: such characters that stay
    """
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)


def printable_values(value: Any) -> Any:
    """JSON values whose texts are printable: names of files may not even be UTF-8."""
    match value:
        case str():
            return printable(value)
        case dict():
            return {printable(key): printable_values(item) for key, item in value.items()}
        case list() | tuple():
            return [printable_values(item) for item in value]
    return value
