"""The five exports that an audition plays: from a folder, or from a revision through DVC."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kelly.errors import KellyError
from kelly.files import read_bytes
from kelly.rtneural import MAX_BYTES, Model, parse
from kelly.rtneural_json import document
from kelly.tasks import TASKS, Task


@dataclass(frozen=True)
class Exports:
    """Five exports under one name, each as its bytes, and what they compute."""

    name: str
    files: Mapping[str, bytes]
    models: Mapping[str, Model]


def from_folder(folder: Path) -> Exports:
    """The exports in a folder. Raises KellyError, naming the file, where one is missing or not what it should be."""
    return checked(str(folder), {name: read_bytes(folder / f"{name}.json", MAX_BYTES, ADVICE) for name in TASKS})


def from_revision(name: str) -> Exports:
    """The exports of a git revision, an experiment or the workspace. Raises KellyError where one is in no cache."""
    from kelly.experiments.revisions import GO, Revision  # DVC takes a second to import

    revision = Revision(name)
    files = {}
    for task in TASKS.values():
        data = revision.export(task)
        if data is None:
            raise KellyError(f"{name}: the export of {task.title} is in no cache; fetch it (dvc pull), or go there "
                             f"({GO}) and run the pipeline: dvc repro")  # fmt: skip
        files[task.name] = data
    return checked(name, files)


ADVICE = "run the pipeline first: make repro"


def checked(name: str, files: Mapping[str, bytes]) -> Exports:
    """Exports of which each is the network that its name says. Raises KellyError where one is not."""
    models = {}
    for task in TASKS.values():
        try:
            models[task.name] = checked_model(task, files[task.name])
        except KellyError as error:
            raise KellyError(f"{name}: {task.name}.json: {error}; export it again: dvc repro -f "
                             f"export@{task.name}") from None  # fmt: skip
    return Exports(name, files, models)


def checked_model(task: Task, data: bytes) -> Model:
    """An export as a network. Raises KellyError where RTNeural would misread it, or it is another network."""
    model = parse(document(data))
    found = (model.metadata.get("model"), model.num_inputs, model.num_outputs)
    if found != (expected := (task.name, task.num_inputs, task.num_outputs)):
        raise KellyError(f"it is {found[0]} with {found[1]} inputs and {found[2]} outputs, expected {expected[0]} "
                         f"with {expected[1]} and {expected[2]}")  # fmt: skip
    return model
