"""Files that a source cannot use: each is listed with its reason, and too many are an error."""

from collections.abc import Sequence
from pathlib import Path

from kelly.runtime.errors import KellyError
from kelly.runtime.text import printable

NUM_SHOWN = 5

Skipped = dict[str, str]  # file: its name; reason: why it cannot be used


class NotApplicableError(KellyError):
    """A valid file that a network cannot learn from: it has no drums, no key, no ratings."""


def skip(name: str, path: Path, error: KellyError) -> Skipped:
    """The file `name`, read from `path`, with the reason in `error`, whose message begins with the path."""
    return {"file": name, "reason": str(error).removeprefix(f"{path}: ")}


def check_skipped(source: object, skipped: Sequence[Skipped], num_files: int, max_skipped_share: float) -> None:
    """Raise KellyError, with the first reasons, where no file can be used or more than `max_skipped_share` cannot.

    source: what was read, for the message; num_files: how many were tried, including skipped ones
    max_skipped_share: 0..1
    """
    if num_files > len(skipped) <= max_skipped_share * num_files:
        return
    if not num_files:
        raise KellyError(f"{source}: check the source's settings; found no files, expected at least one")
    first = "".join(f"\n  {printable(file['file'])}: {printable(file['reason'])}" for file in skipped[:NUM_SHOWN])
    more = f"\n  … and {len(skipped) - NUM_SHOWN} more" if len(skipped) > NUM_SHOWN else ""
    raise KellyError(
        f"{source}: repair or remove the files below, or raise max_skipped_share; {len(skipped)} of {num_files} files "
        f"cannot be used, expected at most {max_skipped_share:.0%} and one that can:{first}{more}"
    )
