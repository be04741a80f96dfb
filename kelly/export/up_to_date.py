"""Whether an export was made with the settings, data and code of the project as it is now."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kelly.config.effective import flatten
from kelly.config.params import TaskConfig
from kelly.data.dataset import read_metadata
from kelly.data.loading import datasets_folder
from kelly.rtneural.reader import read
from kelly.runtime.code import TRAINING_CODE
from kelly.runtime.errors import KellyError


def differences_from(metadata: Mapping[str, Any], config: TaskConfig, dataset: Mapping[str, Any]) -> list[str]:
    """A line for each difference: 'epochs: export 30, now 3'.

    metadata: of the export; dataset: the content of dataset.json
    Raises KellyError where the metadata lacks one of the compared values.
    """
    keys = ("source", "settings", "splitting", "sha256")
    try:
        data = metadata["data"]
        export = {**metadata["params"], "data": {key: data[key] for key in keys}, "code": metadata["code"]}
    except KeyError as error:
        name = config.task.name
        raise KellyError(f"{name}.json: its metadata lacks {error}; "
                         f"export it again: dvc repro -f -s export@{name}") from None  # fmt: skip
    now_data = {"source": config.source, "settings": dict(config.data), "sha256": dataset["sha256"]}
    now = {
        **config.training.model_dump(),
        "data": now_data | {"splitting": config.splitting.model_dump()},
        "code": TRAINING_CODE,
    }
    before, after = dict(flatten(export)), dict(flatten(now))
    return [
        f"{key}: export {before.get(key)!s:.100}, now {after.get(key)!s:.100}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def outdated(configs: Iterable[TaskConfig], exports: Path, data: Path) -> dict[str, list[str]]:
    """The networks whose export in the folder `exports` differs from their configuration, with the differences.

    data: the folder of the data sets. Networks without export or data are left out.
    """
    found: dict[str, list[str]] = {}
    for config in configs:
        path, folder = exports / f"{config.task.name}.json", datasets_folder(data, config.task.name)
        if path.exists() and (folder / "dataset.json").exists():
            lines = differences_from(read(path).metadata, config, read_metadata(folder))
            if lines:
                found[config.task.name] = lines
    return found
