"""The five exports that an audition plays, from a folder or through DVC from a revision."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kelly.rtneural.document import MAX_BYTES, load_json
from kelly.rtneural.reader import Model, parse
from kelly.runtime.errors import KellyError
from kelly.runtime.files import read_bytes
from kelly.tasks import TASKS, Task

DEFAULT_FOLDER = Path("trained_models")


@dataclass(frozen=True)
class Exports:
    """Five exports under one name. files, models: the bytes and the network of each task."""

    name: str
    files: Mapping[str, bytes]
    models: Mapping[str, Model]


def load_exports(revision: str | None, folder: Path | None) -> Exports:
    """Load from a revision or a folder; from DEFAULT_FOLDER if both are None. Raises KellyError if both are given."""
    if revision is None:
        return from_folder(folder or DEFAULT_FOLDER)
    if folder is not None:
        raise KellyError(f"found revision {revision} and --models {folder}; give one of them")
    return from_revision(revision)


def from_folder(folder: Path) -> Exports:
    """Load the exports in a folder. Raises KellyError, naming the file, where one is missing or invalid."""
    advice = "run the pipeline first: make repro"
    return parse_exports(str(folder), {name: read_bytes(folder / f"{name}.json", MAX_BYTES, advice) for name in TASKS})


def from_revision(name: str) -> Exports:
    """Load the exports of a git revision, an experiment or the workspace. Raises KellyError where one is not cached."""
    from kelly.experiments.revisions import Revision  # importing DVC takes a second

    revision = Revision(name)
    files = {}
    for task in TASKS.values():
        data = revision.export(task)
        if data is None:
            raise KellyError(f"{name}: the export of {task.title} is not in the DVC cache; fetch it (dvc pull), or "
                             "check the revision out and run: dvc repro")  # fmt: skip
        files[task.name] = data
    return parse_exports(name, files)


def parse_exports(name: str, files: Mapping[str, bytes]) -> Exports:
    """Parse five exports. Raises KellyError with a line for each that is invalid."""
    models, errors = {}, []
    for task in TASKS.values():
        try:
            models[task.name] = parse_export(task, files[task.name])
        except KellyError as error:
            errors.append(f"{name}: {task.name}.json: {error}; export it again: dvc repro -f -s export@{task.name}")
    if errors:
        raise KellyError("\n".join(errors))
    return Exports(name, files, models)


def parse_export(task: Task, data: bytes) -> Model:
    """Parse one export. Raises KellyError where RTNeural would misread it, or it is another network."""
    model = parse(load_json(data))
    found = (model.metadata.get("model"), model.num_inputs, model.num_outputs)
    if found != (expected := (task.name, task.num_inputs, task.num_outputs)):
        raise KellyError("found {} with {} inputs and {} outputs, expected {} with {} and {}".format(*found, *expected))
    if "inputs" not in model.metadata:
        raise KellyError("its metadata has no inputs, which composing needs")
    return model
