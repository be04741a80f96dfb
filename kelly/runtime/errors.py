"""The error for mistakes that a user can correct: commands print it without a traceback and exit with 1."""


class KellyError(Exception):
    """Contains what was found, what was expected and what to do, with keys and file names verbatim."""
