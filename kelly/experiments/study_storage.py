"""The database of a search: its address, which may contain a password, and what is read from it, checked."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.exceptions import StorageInternalError
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import create_engine, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from kelly.runtime.errors import KellyError

EXPECTED = (
    "expected the URL of a database whose driver is installed, such as sqlite:///study.db or "
    "postgresql+psycopg2://user:password@host/name, and a study of this version of Optuna"
)
TIMEOUT_S = 10
# By driver; others have their own.
CONNECT_ARGS = {"pysqlite": "timeout", "psycopg2": "connect_timeout", "psycopg": "connect_timeout",
                "pymysql": "connect_timeout", "mysqldb": "connect_timeout"}  # fmt: skip
MINIMIZE = [StudyDirection.MINIMIZE]
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


def parse_url(storage: str) -> URL:
    """The URL of a database on disk or on a server. Raises KellyError, without a password, where it is another."""
    try:
        url = make_url(storage)
        driver = url.get_driver_name()
    except (ArgumentError, ValueError, ImportError, SQLAlchemyError) as error:
        # Where the text is malformed, nobody knows which part of it is the password.
        shown = re.sub(r"(?<=\w)\W.*@.*", "…", storage, flags=re.S)
        problem = "has a driver that is not installed" if isinstance(error, ImportError) else "is not a URL"
        raise KellyError(f"--storage {shown} {problem}; {EXPECTED}") from None
    if storage.count("@") > 1:
        raise KellyError(
            f"--storage {url.drivername}… has more than one @; write that of a password as %40; {EXPECTED}"
        )
    if driver == "pysqlite" and ((url.database or ":memory:") == ":memory:" or str(url.database).startswith("file:")):
        raise KellyError(f"--storage {shown_url(url)} is not a file, and in memory nothing would be kept; {EXPECTED}")
    return url


def shown_url(url: URL) -> str:
    """A URL without its password and its options, which may contain another."""
    return url.set(query={}).render_as_string(hide_password=True)


@contextmanager
def readable_errors(url: URL) -> Iterator[None]:
    """Raise KellyError for what a database may do: be locked, out of reach, or not hold what Optuna writes."""
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
        reason = str(getattr(cause, "orig", None) or cause).strip().partition("\n")[0]
        if "locked" in reason:
            raise KellyError(f"the study at {shown_url(url)} was locked by another program for {TIMEOUT_S} s; close "
                             "that program, and the same command continues") from None  # fmt: skip
        raise KellyError(f"the study at {shown_url(url)} cannot be accessed: {reason:.300}; finished trials are kept; "
                         f"{EXPECTED}") from None  # fmt: skip
    except (ImportError, RuntimeError, KeyError, ValueError, TypeError, AssertionError) as error:
        reason = str(error.__cause__ if isinstance(error, ImportError) and error.__cause__ else error)
        raise KellyError(f"the study at {shown_url(url)} cannot be read: {reason:.300}; {EXPECTED}") from None


def open_storage(storage: str, url: URL) -> optuna.storages.RDBStorage:
    """Connect to the database, and create its tables where it has none. Raises KellyError where that fails."""
    driver = url.get_driver_name()
    connect_args = {CONNECT_ARGS[driver]: TIMEOUT_S} if driver in CONNECT_ARGS else {}
    with readable_errors(url):
        tables = (
            inspect(create_engine(url, connect_args=connect_args)).get_table_names() if driver == "pysqlite" else []
        )
        if tables and "studies" not in tables:
            raise ValueError(f"it has the tables {', '.join(tables):.100} of another program")
        return optuna.storages.RDBStorage(storage, engine_kwargs={"connect_args": connect_args})


def check_study(study: optuna.Study, url: URL) -> None:
    """Raise KellyError where a study was not made by `kelly search`, or is damaged."""
    with readable_errors(url):
        problems = [] if study.directions == MINIMIZE else [f"it has the directions {study.directions}"]
        fingerprint = study.user_attrs.get("fingerprint", {})
        if not isinstance(fingerprint, dict):
            problems.append(f"its fingerprint is {fingerprint!r:.80}")
        for trial in study.get_trials(deepcopy=False, states=ENDED):
            problems += [f"trial {trial.number} {problem}" for problem in problems_of(trial)]
    if problems:
        more = f"\n  … and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise KellyError(
            f"the study at {shown_url(url)} is damaged, or not of kelly search; use another --output or --storage:"
            + "".join(f"\n  {problem}" for problem in problems[:5]) + more
        )  # fmt: skip


def problems_of(trial: FrozenTrial) -> Iterator[str]:
    """What a trial that ended lacks."""
    settings, epoch = trial.user_attrs.get("settings"), trial.user_attrs.get("best_epoch")
    if not isinstance(settings, dict) or any(not isinstance(value, int | float | str) for value in settings.values()):
        yield f"has the settings {settings!r:.80}, expected names with values"
    elif settings.keys() != trial.params.keys():
        yield f"has the settings {', '.join(settings)}, but parameters {', '.join(trial.params) or 'none'}"
    if trial.state is TrialState.COMPLETE and (type(epoch) is not int or epoch < 1):
        yield f"has the best epoch {epoch!r:.80}, expected a whole number from 1"
    if trial.state is TrialState.COMPLETE and (trial.value is None or trial.value != trial.value):
        yield f"has the loss {trial.value!r}, expected a number"
