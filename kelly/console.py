"""How every command ends: a user's mistake is told in one message, an interruption politely."""

import sys
from collections.abc import Callable
from typing import NoReturn

from kelly.errors import KellyError


def run(main: Callable[[], None]) -> NoReturn:
    """Run `main` and exit: 0; 1 with the message of a KellyError; 130 on Ctrl-C."""
    try:
        main()
    except KellyError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted: what was finished is kept; the same command goes on from there", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)
