"""Files that a source could not use: each is told with its reason, and too many of them are an error."""

from collections.abc import Sequence
from pathlib import Path

from kelly.runtime.errors import KellyError

NUM_SHOWN = 5


class NotApplicableError(KellyError):
    """Music that is read well, but from which a network cannot learn: it has no drums, no key, no ratings."""


Skipped = dict[str, str]  # file: its name; reason: why it could not be used


def skip(name: str, path: Path, error: KellyError) -> Skipped:
    """The file `name`, read from `path`, with the reason that `error` gives, which begins with the path."""
    return {"file": name, "reason": str(error).removeprefix(f"{path}: ")}


def check_skipped(where: object, skipped: Sequence[Skipped], num_files: int, max_skipped_share: float) -> None:
    """Raise KellyError, with the first reasons, where no file can be used or more than `max_skipped_share` cannot.

    where: what was read, for the message; num_files: how many were tried, skipped ones among them
    max_skipped_share: 0..1
    """
    if num_files > len(skipped) <= max_skipped_share * num_files:
        return
    if not num_files:
        raise KellyError(f"{where}: no files, expected at least one; look at the source's settings")
    first = "".join(f"\n  {s['file']}: {s['reason']}" for s in skipped[:NUM_SHOWN])
    more = f"\n  … and {len(skipped) - NUM_SHOWN} more" if len(skipped) > NUM_SHOWN else ""
    raise KellyError(
        f"{where}: {len(skipped)} of {num_files} files cannot be used, expected at most {max_skipped_share:.0%} "
        f"and one that can; mend them, or raise max_skipped_share:{first}{more}"
    )
