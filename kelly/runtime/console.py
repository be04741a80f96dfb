"""The frame of every command: a user's mistake is one message and exit code 1; Ctrl-C and SIGTERM end it cleanly."""

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
from kelly.runtime.text import printable

# Set before NumPy is imported: with one thread sums are the same on any machine, and two networks side by side are
# faster than two threads for one, which wait for each other on a busy machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

LAYOUT = "\n\t"  # of messages


class Terminated(KeyboardInterrupt):
    """SIGTERM, handled like Ctrl-C: unfinished files are removed, finished ones kept."""


def terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Handle SIGTERM."""
    raise Terminated


def rank_and_world_size() -> tuple[int, int]:
    """The rank of this process and the number of processes that torchrun started; 0 and 1 without torchrun.

    Raises KellyError where RANK and WORLD_SIZE are invalid.
    """
    variables = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
    try:
        rank, world_size = (int(text) for text in variables)
    except ValueError:
        rank, world_size = -1, 0
    if not 0 <= rank < world_size:
        raise KellyError(f"RANK is {variables[0]} and WORLD_SIZE is {variables[1]}, expected whole numbers with "
                         "RANK < WORLD_SIZE, as torchrun sets them; unset both")  # fmt: skip
    return rank, world_size


def check_single_process() -> None:
    """Raise KellyError where torchrun started several processes; all but rank 0 exit, so that it is printed once."""
    rank, world_size = rank_and_world_size()
    if world_size == 1:
        return
    if rank and "TORCHELASTIC_RUN_ID" in os.environ:
        sys.exit(0)  # with any other code torchrun might end rank 0 before it has printed
    raise KellyError(
        f"torchrun started {world_size} processes (WORLD_SIZE) of a command that is one process; several train one "
        f"network with: torchrun --nproc-per-node={world_size} -m stages.train melodytransformer"
    )


def run(
    main: Callable[[], None], interrupted: str = "the same command continues from there", distributed: bool = False
) -> NoReturn:
    """Run `main` and exit: 0; 1 with the message of a mistake; 130 on Ctrl-C and 143 on SIGTERM, with how to continue.

    distributed: whether `main` may be several processes started by torchrun
    """
    signal.signal(signal.SIGTERM, terminate)
    gc.freeze()  # imported modules stay
    gc.enable()
    try:
        if not distributed:
            check_single_process()
        main()
        sys.stdout.flush()
    except KellyError as error:
        fail(str(error))
    except BrokenPipeError:
        # The reader of the output has gone (`| head`). Python would report it once more when it flushes at exit.
        sys.stdout = None
        sys.exit(1)
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        fail(f"{reason}; check that the path is right, writable and on a disk that is not full")
    except MemoryError:
        fail("out of memory; close other programs, or use less data or smaller batches")
    except KeyboardInterrupt as stop:
        terminated = isinstance(stop, Terminated)
        word = "terminated" if terminated else "interrupted"
        print(f"\n{word}: finished work is kept; {interrupted}", file=sys.stderr)
        sys.exit(143 if terminated else 130)
    sys.exit(0)


def handle_interrupts() -> None:
    """Handle Ctrl-C before `run` has begun as well: imports take seconds."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            if os.environ.get("RANK", "0") == "0":
                print("\ninterrupted: nothing was started", file=sys.stderr)
        else:
            sys.__excepthook__(kind, error, trace)

    sys.excepthook = hook


def folder(text: str) -> Path:
    """A folder from a command line. Refuses an empty name, as an unset variable gives: it would be the current one."""
    if not text.strip():
        raise ArgumentTypeError("is empty, expected the name of a folder")
    return Path(text)


def check_png(option: str, path: Path) -> None:
    """Raise KellyError where the file of a plot does not end with .png."""
    if path.suffix.lower() != ".png":
        raise KellyError(f"{option} {path}: expected a name that ends with .png")


def fail(message: str) -> NoReturn:
    """Print the message of a mistake and exit with 1."""
    print(f"error: {printable(message, keep=LAYOUT)}", file=sys.stderr)
    sys.exit(1)
