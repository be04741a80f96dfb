"""Read a file that a user named: completely, up to a size limit, and without waiting for a pipe."""

import stat
from pathlib import Path

from kelly.runtime.errors import KellyError
from kelly.runtime.system_errors import raise_system_error


def read_bytes(path: Path, max_bytes: int, advice: str) -> bytes:
    """All bytes of the regular file at `path`.

    Raises KellyError, ending in `advice`, where it is missing, no regular file or larger than `max_bytes`; OSError or
    MemoryError where the machine cannot read it.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise KellyError(f"{path}: is a folder, expected a file; {advice}")
        if not stat.S_ISREG(status.st_mode):
            raise KellyError(f"{path}: is a pipe, a socket or a device, expected a file; {advice}")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except PermissionError as error:
        raise KellyError(f"{path}: cannot be read ({error.strerror}); change its permissions") from error
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise_system_error(error, path)
        reason = error.strerror if isinstance(error, OSError) else error
        raise KellyError(f"{path}: cannot be read ({reason}); {advice}") from error
    if len(data) > max_bytes:
        raise KellyError(f"{path}: {status.st_size} bytes, expected at most {max_bytes}; {advice}")
    return data
