"""Errors of the machine (memory, permissions, disk, open files), which do not mean that a file is damaged."""

import errno
import re
from collections.abc import Iterator

# A reader raises these, or OSErrors without a number, where the name or the content of a file is wrong.
OF_THE_FILE = frozenset({
    None, errno.EINVAL, errno.EOVERFLOW, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG,
    errno.ENXIO, errno.ENODEV,
})  # fmt: skip
# What PyTorch, C++, libsndfile and the loader of shared libraries say in place of a MemoryError.
OUT_OF_MEMORY = re.compile(
    r"(can'?t|cannot|unable to) allocate|(out of|not enough) memory|bad_alloc|malloc|failed to map segment|"
    r"can't start new thread",
    re.IGNORECASE,
)
ADVICE = {
    errno.ENOSPC: "free space on its disk",
    errno.EDQUOT: "free space, the quota of this user is used up",
    errno.EACCES: "change its permissions, or use another path",
    errno.EPERM: "change its permissions, or use another path",
    errno.EMFILE: "allow more open files (ulimit -n), or use fewer processes",
    errno.ENFILE: "close other programs",
    errno.EIO: "its disk or network has a fault: check it, and copy the file from elsewhere",
    errno.ENOMEM: "close other programs, or use less data or smaller batches",
}


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out."""
    return any(
        isinstance(cause, MemoryError)
        or (isinstance(cause, OSError) and cause.errno == errno.ENOMEM)
        or (isinstance(cause, RuntimeError | ImportError) and OUT_OF_MEMORY.search(str(cause)) is not None)
        for cause in causes(error)
    )


def raise_system_error(error: Exception, path: object) -> None:
    """Raise an error that a reader of `path` met, naming the path, where it does not show that the file is wrong.

    Call it in an `except` clause before reporting the file as damaged.
    """
    if is_out_of_memory(error):
        raise MemoryError(f"while reading {path}") from error
    for cause in causes(error):
        if isinstance(cause, OSError) and cause.errno not in OF_THE_FILE:
            raise OSError(cause.errno, cause.strerror, cause.filename or str(path)) from error
        if isinstance(cause, ImportError | RecursionError):
            raise error


def describe(error: OSError) -> str:
    """An error of the operating system for a user: where, what, and what to do."""
    reason = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
    advice = ADVICE.get(error.errno or 0, "check that the path is right, writable and on a disk that is not full")
    return f"{reason}; {advice}"
