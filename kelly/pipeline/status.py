"""What DVC takes as up to date, and whether it is."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from kelly.config.params import TaskConfig
from kelly.data.loading import DATA
from kelly.export.up_to_date import outdated
from kelly.runtime.errors import KellyError

DVC = (sys.executable, "-m", "dvc")
TRAINED = Path("trained_models")


def changed_stages() -> list[str]:
    """The stages that DVC would run, as far as it can know before it begins."""
    status = subprocess.run([*DVC, "status", "--json"], capture_output=True, text=True, check=False)
    if status.returncode:
        raise KellyError(f"dvc status failed:\n{status.stderr.strip()}")
    return list(json.loads(status.stdout))


def check_exports(configs: Mapping[str, TaskConfig]) -> None:
    """Raise KellyError where an export is not of the present settings, data and code, and DVC would not make it again.

    DVC hashes what a stage depends on when it has ended: stages compare it themselves (stages/inputs.py), but nothing
    can exclude an edit in the moment between.
    """
    found = outdated(configs.values(), TRAINED, DATA)
    changed = {stage.partition("@")[2] for stage in changed_stages()} if found else ()
    wrong = {name: lines for name, lines in found.items() if name not in changed}
    if wrong:
        raise KellyError(
            "DVC takes as up to date what is not of the present settings, data and code. Make it again, then run "
            "kelly repro:"
            + "".join(
                "\n    ".join([f"\n  dvc repro -f -s generate@{name} split@{name} train@{name}", *lines])
                for name, lines in wrong.items()
            )
        )
