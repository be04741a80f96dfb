"""The frame of every command: a user's mistake is one message and exit 1, Ctrl-C and a request to end are answered."""

import gc
import os
import signal
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn

from kelly.runtime.errors import KellyError

# Before NumPy is imported: sums of one thread come out the same on any machine, and two networks side by side are worth
# more than two threads for one, which wait for each other where the machine is busy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


class Terminated(KeyboardInterrupt):
    """SIGTERM, treated like Ctrl-C: what was begun is cleared away, what was finished is kept."""


def terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Answer SIGTERM."""
    raise Terminated


def launched() -> tuple[int, int]:
    """The number of this process among those that torchrun started, and how many those are; 0 of 1 without torchrun.

    Raises KellyError where the environment says what cannot be.
    """
    found = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
    try:
        rank, size = (int(text) for text in found)
    except ValueError:
        rank, size = -1, 0
    if not 0 <= rank < size:
        raise KellyError(f"RANK is {found[0]} and WORLD_SIZE {found[1]}, expected whole numbers, the first less than "
                         "the second, as torchrun sets them; unset both")  # fmt: skip
    return rank, size


def check_single_process() -> None:
    """Raise KellyError where torchrun started several processes; all but the first end, so that it is told once."""
    rank, size = launched()
    if size == 1:
        return
    if rank and "TORCHELASTIC_RUN_ID" in os.environ:
        sys.exit(0)  # with any other code torchrun might end the first before it has told
    raise KellyError(
        f"torchrun started {size} processes (WORLD_SIZE) of a command that is one process; several train one network "
        f"with: torchrun --nproc-per-node={size} -m stages.train melodytransformer"
    )


def run(
    main: Callable[[], None],
    interrupted: str = "the same command goes on from there",
    several: bool = False,
) -> NoReturn:
    """Run `main` and exit: 0; 1 with the message of a mistake; 130 on Ctrl-C, 143 on SIGTERM, saying how to go on.

    several: whether `main` may be several processes that torchrun started
    """
    signal.signal(signal.SIGTERM, terminate)
    gc.freeze()  # what was imported stays
    gc.enable()
    try:
        if not several:
            check_single_process()
        main()
        sys.stdout.flush()
    except KellyError as error:
        fail(str(error))
    except BrokenPipeError:
        # Whoever read the output has gone (`| head`). Python would complain once more when it flushes at exit.
        sys.stdout = None
        sys.exit(1)
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        fail(f"{what}; check that the path is right, writable and on a disk that is not full")
    except MemoryError:
        fail("the memory of this machine is full; close other programs, or set less data or smaller batches")
    except KeyboardInterrupt as stop:
        terminated = isinstance(stop, Terminated)
        word = "terminated" if terminated else "interrupted"
        print(f"\n{word}: what was finished is kept; {interrupted}", file=sys.stderr)
        sys.exit(143 if terminated else 130)
    sys.exit(0)


def answer_interrupts() -> None:
    """Have Ctrl-C answered before `run` has begun as well: imports take seconds. Python then ends by that signal."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            if os.environ.get("RANK", "0") == "0":
                print("\ninterrupted: nothing was begun", file=sys.stderr)
        else:
            sys.__excepthook__(kind, error, trace)

    sys.excepthook = hook


def folder(text: str) -> Path:
    """A folder that a command line names. An empty name, which an unset variable gives, would be the present one."""
    if not text.strip():
        raise ArgumentTypeError("is empty, expected the name of a folder")
    return Path(text)


def fail(message: str) -> NoReturn:
    """Print the message of a mistake and exit 1."""
    print(f"error: {message}", file=sys.stderr)
    sys.exit(1)
