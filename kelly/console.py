"""How every command ends: a user's mistake is told in one message, an interruption politely."""

import sys
from collections.abc import Callable
from typing import NoReturn

from kelly.errors import KellyError


def run(main: Callable[[], None], interrupted: str = "the same command goes on from there") -> NoReturn:
    """Run `main` and exit: 0; 1 with the message of a mistake; 130 on Ctrl-C, saying how to go on."""
    try:
        main()
    except KellyError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        print(f"error: {what}; check that the path is right, writable and on a disk that is not full", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"interrupted: what was finished is kept; {interrupted}", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)
