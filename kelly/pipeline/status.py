"""What DVC takes as up to date, and whether it is."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from kelly.config.params import TaskConfig, load
from kelly.config.stage_inputs import PIPELINE, Code, StageInputs
from kelly.config.yaml_file import read_yaml
from kelly.data.loading import DATA, datasets_folder
from kelly.export.up_to_date import outdated
from kelly.runtime.code import PACKAGE
from kelly.runtime.errors import KellyError
from kelly.sources.generate import is_outdated
from kelly.tasks import TASKS

DVC = (sys.executable, "-m", "dvc")
TRAINED = Path("trained_models")


def changed_stages() -> list[str]:
    """The stages that DVC would run, as far as it can know before it begins."""
    status = subprocess.run([*DVC, "status", "--json"], capture_output=True, text=True, check=False)
    if status.returncode:
        raise KellyError(f"dvc status failed:\n{status.stderr.strip()}")
    return list(json.loads(status.stdout))


def check_after_run() -> None:
    """Raise KellyError where something changed since the pipeline began to run, or as `check_recorded` does."""
    if changed := changed_stages():
        raise KellyError("settings, code or data changed while the pipeline was running; run kelly repro again for "
                         + ", ".join(changed))  # fmt: skip
    check_recorded(load())


def check_recorded(configs: Mapping[str, TaskConfig]) -> None:
    """Raise KellyError where DVC takes as up to date what is not: it does not track music, and may have been misled."""
    if Path("kelly").is_dir() and Path("kelly").resolve() != PACKAGE:
        raise KellyError(f"this command runs the code of {PACKAGE.parent}, and not that of this project; install it in "
                         "this environment: pip install -e .")  # fmt: skip
    _check_music(configs)
    _check_results(configs)


def _check_music(configs: Mapping[str, TaskConfig]) -> None:
    """Files of a source changed since the data was generated from them."""
    lines = [
        f"\n  {config.task.title}: {config.data['path']}: dvc repro -f -s generate@{name}"
        for name, config in configs.items()
        if is_outdated(config.task, config.source, config.data, datasets_folder(DATA, name))
    ]
    if lines:
        raise KellyError(
            "music was added, removed or changed since the data was generated; generate it again:" + "".join(lines)
        )


def _check_results(configs: Mapping[str, TaskConfig]) -> None:
    """A stage was run, or an export made, with other settings or code than DVC recorded.

    DVC hashes what a stage depends on when it has ended. Stages compare it themselves; this finds what was edited in
    the moment between, and what the run cache or `dvc commit` put under settings that it was not made with.
    """
    code, records = Code(), {}
    for stage, declared in read_yaml(PIPELINE)["stages"].items():
        for model in TASKS if "foreach" in declared else ("",):
            inputs = StageInputs(code, stage, model)
            if lines := inputs.differences_from_record():
                records[inputs.name] = lines
    exports = outdated(configs.values(), TRAINED, DATA)
    changed = changed_stages() if records or exports else []
    wrong = {stage: lines for stage, lines in records.items() if stage not in changed}
    for name, lines in exports.items():
        if not any(stage.endswith(f"@{name}") for stage in [*changed, *wrong]):
            wrong[f"generate@{name} split@{name} train@{name}"] = lines
    if wrong:
        raise KellyError(
            "DVC takes as up to date what is not of the present settings, data and code. Make it again, then run "
            "kelly repro:"
            + "".join("\n    ".join([f"\n  dvc repro -f -s {stages}", *lines]) for stages, lines in wrong.items())
        )
