"""Repair of files that DVC rewrites in place: a kill in that moment leaves them half written, and DVC refuses to start.

https://github.com/treeverse/dvc/issues/7615
"""

import json
import subprocess
import time
from pathlib import Path

import yaml

from kelly.config.yaml_file import parse_yaml
from kelly.runtime.atomic import write_text
from kelly.runtime.locks import waiting_lock

LOCK, INDEX_LOCK = Path("dvc.lock"), Path(".git/index.lock")
RWLOCKS = (Path(".dvc/tmp/rwlock"), Path(".dvc/tmp/exps/rwlock"))  # of `dvc repro`, and of `dvc exp run`
PAUSE_S = 1.0  # a DVC that is running has finished writing by then


def repair(project: Path = Path()) -> list[str]:
    """Repair what a killed DVC left half written in `project`; return a message per file, and one for a lock of git's.

    Nothing is lost with them: rwlock names the processes at work, and what dvc.lock recorded of stages that ran since
    the last commit is in DVC's run cache as well, so that they are not run again. Of several at once one repairs.
    """
    messages = []
    if not all(is_readable(project / path) for path in (*RWLOCKS, LOCK)):
        # A second one looks again when the first has finished: by then DVC may have written what must not be replaced.
        with waiting_lock(project / ".dvc/tmp" / LOCK.name):
            messages += repair_broken(project)
    if (project / INDEX_LOCK).exists():  # git's own, and git may be running: only reported
        messages.append(
            f"{INDEX_LOCK} exists: git is running, or a git or DVC was killed; if none is running, remove it"
        )
    return messages


def repair_broken(project: Path) -> list[str]:
    """Repair DVC's files as `repair` does."""
    messages = []
    for rwlock in RWLOCKS:
        if is_broken(project / rwlock):
            (project / rwlock).unlink(missing_ok=True)
            messages.append(f"{rwlock} was half written by a DVC that was killed: removed")
    if is_broken(project / LOCK):
        committed = subprocess.run(
            ["git", "show", f"HEAD:./{LOCK}"], cwd=project, capture_output=True, text=True, check=False
        )
        if committed.returncode == 0:
            write_text(project / LOCK, committed.stdout)
        else:
            (project / LOCK).unlink(missing_ok=True)
        messages.append(f"{LOCK} was half written by a DVC that was killed: restored as committed")
    return messages


def is_broken(path: Path) -> bool:
    """Whether a file exists, cannot be read, and is not just being written."""
    if is_readable(path):
        return False
    time.sleep(PAUSE_S)
    return not is_readable(path)


def is_readable(path: Path) -> bool:
    """Whether DVC can read one of its files; a missing one counts as readable."""
    # Imported here: they take as long as the rest of a command.
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from voluptuous import Invalid

    try:
        text = path.read_text(encoding="utf-8")
        if path.name != LOCK.name:
            return isinstance(json.loads(text), dict)
        COMPILED_LOCKFILE_SCHEMA(parse_yaml(text))
    except FileNotFoundError:
        return True
    except (ValueError, yaml.YAMLError, Invalid):
        return False
    return True
