"""The one argument of a stage: the network's name, turned into its settings."""

import sys

from kelly import params
from kelly.errors import KellyError


def settings() -> params.Settings:
    """The settings of the network that the command line names. Raises KellyError where it names none."""
    known = params.load()
    if len(sys.argv) != 2 or sys.argv[1] not in known:
        raise KellyError(f"found the arguments {sys.argv[1:]}, expected one network: {', '.join(known)}")
    return known[sys.argv[1]]
