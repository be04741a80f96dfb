"""What lies in a folder, read once and without looking at each file, so that 176,000 of them are listed in seconds."""

import os
from collections.abc import Iterator
from pathlib import Path

from kelly.runtime.errors import KellyError

ARCHIVE_REST = "__MACOSX"  # what macOS puts beside the files that it packs


def scan(folder: Path, advice: str) -> tuple[list[str], list[str]]:
    """Names of the folders and of the files in `folder`, each sorted.

    Hidden ones (a leading dot, as in macOS's ._x.mid), links to folders and __MACOSX are left out.
    Raises KellyError, ending in `advice`, where the folder is missing, none or unreadable.
    """
    folders, files = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name == ARCHIVE_REST:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif not (entry.is_symlink() and entry.is_dir()):
                    files.append(entry.name)
    except (OSError, ValueError) as error:  # ValueError: a name that no folder can have
        reason = error.strerror if isinstance(error, OSError) else error
        raise KellyError(f"{folder}: cannot be read ({reason}); {advice}") from error
    return sorted(folders), sorted(files)


def walk(folder: Path, advice: str) -> Iterator[tuple[str, list[str]]]:
    """Each folder of the tree by its path relative to `folder`, with a slash at the end, and its files as in `scan`."""
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        folders, files = scan(folder / inside, advice)
        yield inside, files
        waiting += [f"{inside}{name}/" for name in reversed(folders)]


def found_in(folder: Path, advice: str) -> str:
    """Some of the names in `folder`, for messages."""
    folders, files = scan(folder, advice)
    names = [*(f"{name}/" for name in folders), *files]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") or "nothing"
