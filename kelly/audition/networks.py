"""The five exports that an audition plays: from a folder, or from a revision through DVC."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from kelly.rtneural.document import document
from kelly.rtneural.reader import MAX_BYTES, Model, parse
from kelly.runtime.errors import KellyError
from kelly.runtime.files import read_bytes
from kelly.tasks import TASKS, Task


@dataclass(frozen=True)
class Exports:
    """Five exports under one name, each as its bytes, and what they compute."""

    name: str
    files: Mapping[str, bytes]
    models: Mapping[str, Model]


class Emotions(BaseModel):
    """Between which values of valence and of arousal what a network learned from lay."""

    valence: tuple[float, float]
    arousal: tuple[float, float]


class Told(BaseModel):
    """What phrases are made by of an export's metadata; exports of before do not tell the emotions."""

    inputs: list[dict[str, Any]] = Field(min_length=1)
    emotion: Emotions | None = None


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
    models, faults = {}, []
    for task in TASKS.values():
        try:
            models[task.name] = checked_model(task, files[task.name])
        except KellyError as error:
            faults.append(
                f"{name}: {task.name}.json: {error}; there, export it again: dvc repro -f -s export@{task.name}"
            )
    if faults:
        raise KellyError("\n".join(faults))
    return Exports(name, files, models)


def checked_model(task: Task, data: bytes) -> Model:
    """An export as a network. Raises KellyError where RTNeural would misread it, or it is another network."""
    model = parse(document(data))
    found = (model.metadata.get("model"), model.num_inputs, model.num_outputs)
    if found != (expected := (task.name, task.num_inputs, task.num_outputs)):
        raise KellyError(f"it is {found[0]} with {found[1]} inputs and {found[2]} outputs, expected {expected[0]} "
                         f"with {expected[1]} and {expected[2]}")  # fmt: skip
    try:
        Told.model_validate(model.metadata)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise KellyError(f"its metadata does not say what phrases are made by ({faults})") from None
    return model
