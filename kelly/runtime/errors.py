"""The one error that is the user's to mend: commands print it without a traceback and exit 1."""


class KellyError(Exception):
    """Says what was found, what was expected and what to do, naming keys and files verbatim."""
