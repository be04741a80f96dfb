"""DVC's own notes, which it rewrites in place: a kill in that moment leaves them broken, and DVC then refuses to start.

https://github.com/treeverse/dvc/issues/7615
"""

import json
import subprocess
import time
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from kelly.runtime.atomic import write_text

LOCK, INDEX_LOCK = Path("dvc.lock"), Path(".git/index.lock")
RWLOCKS = (Path(".dvc/tmp/rwlock"), Path(".dvc/tmp/exps/rwlock"))  # of `dvc repro`, and of `dvc exp run`
PAUSE_S = 1.0  # a DVC at work beside this has finished writing by then


def mend(project: Path = Path()) -> list[str]:
    """Mend what a killed DVC left broken in `project`; return a line for each note that was, and for a lock of git's.

    Nothing is lost with them: rwlock says which processes are at work, and what dvc.lock said of stages that were run
    since the last commit stands in DVC's run cache as well, so that they are not run again.
    """
    done = []
    for rwlock in RWLOCKS:
        if is_broken(project / rwlock):
            (project / rwlock).unlink(missing_ok=True)
            done.append(f"{rwlock} was half written by a DVC that was killed: removed")
    if is_broken(project / LOCK):
        committed = subprocess.run(
            ["git", "show", f"HEAD:./{LOCK}"], cwd=project, capture_output=True, text=True, check=False
        )
        if committed.returncode == 0:
            write_text(project / LOCK, committed.stdout)
        else:
            (project / LOCK).unlink(missing_ok=True)
        done.append(f"{LOCK} was half written by a DVC that was killed: brought back as committed")
    if (project / INDEX_LOCK).exists():  # git's own, and it may be at work: only told
        done.append(f"{INDEX_LOCK} is there: git is at work, or a git or DVC was killed; if none is at work, remove it")
    return done


def is_broken(path: Path) -> bool:
    """Whether a note is there, cannot be read, and is not just being written."""
    if can_be_read(path):
        return False
    time.sleep(PAUSE_S)
    return not can_be_read(path)


def can_be_read(path: Path) -> bool:
    """Whether DVC can read one of its notes; one that is not there is as good."""
    # Here, since their import takes as long as all the rest of a command.
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from voluptuous import Invalid

    try:
        text = path.read_text(encoding="utf-8")
        if path.name != LOCK.name:
            return isinstance(json.loads(text), dict)
        COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe", pure=True).load(text))
    except FileNotFoundError:
        return True
    except (ValueError, YAMLError, Invalid):
        return False
    return True
