"""What is printed, where names from outside cannot move the cursor, set colours or change the direction of writing."""

import re
from collections.abc import Iterable
from typing import Any, TextIO, cast

from kelly.runtime.text import printable

COLOUR = r"\x1b\[[\d;]*m"
BARS = r"\A\r|\x1b\[A"  # tqdm begins what it writes with \r, and moves the cursor up between bars
NOTHING = r"(?!)"


class EscapedStream:
    """A text stream that writes all but layout as `printable` does.

    keep: characters of the layout; sequences: a pattern of the control sequences that are kept
    """

    def __init__(self, stream: TextIO, keep: str, sequences: str = NOTHING) -> None:
        self.stream, self.keep, self.sequences = stream, keep, sequences

    def write(self, text: str) -> int:
        """Write the text; return its length."""
        parts = re.split(f"({self.sequences})", text)
        parts[::2] = [printable(part, self.keep) for part in parts[::2]]
        self.stream.write("".join(parts))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of them."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def escaped(stream: TextIO, keep: str, sequences: str = NOTHING) -> TextIO:
    """The stream, escaped once."""
    return stream if isinstance(stream, EscapedStream) else cast(TextIO, EscapedStream(stream, keep, sequences))


def allow_colours(*streams: TextIO) -> None:
    """Keep colours from now on, for a command that shows what other programs print and prints no names itself."""
    for stream in streams:
        if isinstance(stream, EscapedStream):
            stream.sequences = f"{COLOUR}|{BARS}"
