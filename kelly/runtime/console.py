"""The frame of every command: a user's mistake is one message and exit code 1; Ctrl-C and SIGTERM end it cleanly."""

import errno
import gc
import os
import signal
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn, TextIO

from kelly.runtime.errors import KellyError
from kelly.runtime.system_errors import ADVICE, describe, is_out_of_memory
from kelly.runtime.terminal import BARS, escaped
from kelly.runtime.text import printable

# Set before NumPy is imported: with one thread sums are the same on any machine, and two networks side by side are
# faster than two threads for one, which wait for each other on a busy machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

LAYOUT = "\n\t"  # of messages
BROKEN_PIPE = 141  # as of a program that SIGPIPE ends


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

    141 where the reader of the output has gone; 1 with a message where the machine fails (disk, memory, permissions).

    distributed: whether `main` may be several processes started by torchrun
    """
    signal.signal(signal.SIGTERM, terminate)
    gc.freeze()  # imported modules stay
    gc.enable()
    open_streams()
    try:
        if not distributed:
            check_single_process()
        try:
            main()
        except SystemExit as stop:  # argparse's, after it printed a help text or a mistake
            if stop.code:
                raise
        sys.stdout.flush()
    except KellyError as error:
        fail(str(error))
    except BrokenPipeError:
        leave(BROKEN_PIPE)  # the reader of the output has gone (`| head`)
    except OSError as error:
        # Files are written through kelly.runtime.atomic, which names them.
        is_output = error.filename is None and error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF)
        fail(f"standard output: {describe(error)}" if is_output else describe(error))
    except BrokenProcessPool:
        fail("a worker process was killed, probably because memory ran out; finished work is kept. Close other "
             "programs, or use fewer processes")  # fmt: skip
    except RecursionError:
        fail("a file is nested too deeply to be read")
    except KeyboardInterrupt as stop:
        terminated = isinstance(stop, Terminated)
        word = "terminated" if terminated else "interrupted"
        leave(143 if terminated else 130, f"\n{word}: finished work is kept; {interrupted}")
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        detail = f" {error}" if isinstance(error, MemoryError) and str(error) else ""
        fail(f"out of memory{detail}; {ADVICE[errno.ENOMEM]}")
    sys.exit(0)


def open_streams() -> None:
    """Open the standard streams that the caller closed, and let them replace symbols that their encoding lacks.

    What is printed is escaped, as names from outside may be in it; progress bars on stderr work.
    Without this the next file that is opened gets the number of a closed stream, and what is printed lands in it.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)  # the lowest free number: that of the stream
            os.set_inheritable(number, True)
            setattr(sys, name, open(number, "r" if name == "stdin" else "w"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="replace")
    sys.stdout = escaped(sys.stdout, keep=LAYOUT)
    sys.stderr = escaped(sys.stderr, keep=LAYOUT, sequences=BARS)


def is_stuck(stream: TextIO) -> bool:
    """Whether a stream cannot write what was printed."""
    try:
        stream.flush()
    except OSError:
        return True
    return False


def leave(code: int, message: str = "") -> NoReturn:
    """Exit with a message on stderr, and discard what a stream cannot write: Python would report it again at exit."""
    with suppress(OSError):
        if message:
            print(message, file=sys.stderr, flush=True)
    for stream in (sys.stdout, sys.stderr):
        if is_stuck(stream):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)


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
    leave(1, f"error: {printable(message, keep=LAYOUT)}")
