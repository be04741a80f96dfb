"""params.yaml → validated settings: every mistake in the file is told in one message, before any work is done."""

import difflib
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, create_model, field_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from kelly.safety.errors import KellyError
from kelly.settings.sources import Block
from kelly.settings.tasks import TASKS, Task

PARAMS_FILE = Path("params.yaml")
ScheduleKind = Literal["constant", "cosine"]
MOST = 10_000_000  # epochs or sequences: beyond any use, and far from where integers overflow
DEVICES = ("auto", "cpu", "cuda", "mps")
SERVED_BY = {
    source: [task.title for task in TASKS.values() if source in task.sources]
    for source in dict.fromkeys(source for task in TASKS.values() for source in task.sources)
}
BRIEF = reprlib.Repr()  # a value in a message, however much it holds: YAML's references make gigabytes of a line
BRIEF.maxlevel, BRIEF.maxlist, BRIEF.maxdict, BRIEF.maxstring = 2, 4, 4, 60


class Model(Block):
    """What one network does differently: null means as shared. `data` is added by the task table."""

    epochs: int | None = Field(ge=1, le=MOST)
    batch_size: int | None = Field(ge=1, le=MOST)
    learning_rate: float | None = Field(gt=0, le=1000)
    early_stopping_patience: int | None = Field(ge=1, le=MOST)
    early_stopping_min_delta: float | None = Field(ge=0)
    early_stopping_min_delta_mode: Literal["abs", "rel"] | None
    weight_decay: float | None = Field(ge=0, le=1000)
    max_gradient_norm: float | None = Field(ge=0)
    learning_rate_schedule: ScheduleKind | None
    warmup_epochs: int | None = Field(ge=0, le=MOST)


class Training(Block):
    """How a network is trained."""

    seed: int = Field(ge=0, lt=2**32)
    epochs: int = Field(ge=1, le=MOST)
    batch_size: int = Field(ge=1, le=MOST)
    learning_rate: float = Field(gt=0, le=1000)
    early_stopping_patience: int = Field(ge=1, le=MOST)
    early_stopping_min_delta: float = Field(ge=0)
    early_stopping_min_delta_mode: Literal["abs", "rel"]
    weight_decay: float = Field(ge=0, le=1000)
    max_gradient_norm: float = Field(ge=0)
    learning_rate_schedule: ScheduleKind
    warmup_epochs: int = Field(ge=0, le=MOST)
    device: Literal["auto", "cpu", "cuda", "mps"]
    num_threads: int = Field(ge=1, le=256)


class Splitting(Block):
    """How a network's data is divided."""

    seed: int = Field(ge=0, lt=2**32)
    validation_split: float = Field(gt=0, lt=1)
    test_split: float = Field(gt=0, lt=1)
    shuffle_inputs: bool

    @property
    def shuffle_seed(self) -> int | None:
        """What inputs are shuffled by, where they are."""
        return self.seed if self.shuffle_inputs else None


class Extraction(Block):
    """How files of music are read."""

    num_workers: int = Field(ge=-1, le=1024)
    dask: str | None

    @field_validator("num_workers")
    @classmethod
    def _not_none(cls, value: int) -> int:
        if value == 0:
            raise ValueError("1 or more, or -1 for one a core")
        return value


class Shared(Training, Splitting):
    """The settings at the top level of params.yaml, for all networks that do not say otherwise."""

    training_seed: int | None = Field(ge=0, lt=2**32)
    extraction: Extraction


ModelTable = create_model(
    "ModelTable",
    __base__=Block,
    **{
        name: (create_model(f"{task.title}Params", __base__=Model, data=(task.data, ...)), ...)
        for name, task in TASKS.items()
    },
)  # type: ignore[call-overload]


class Params(Shared):
    """The whole of params.yaml."""

    search: dict[str, Any]  # see kelly.experiments.space
    models: ModelTable  # type: ignore[valid-type]


@dataclass(frozen=True)
class Settings:
    """Everything that is set for one network: the shared settings with its own in their place.

    data: the arguments of the chosen source; search: what may be tried, see kelly.experiments.space
    """

    task: Task
    training: Training
    splitting: Splitting
    source: str
    data: Mapping[str, Any]
    extraction: Extraction
    search: Mapping[str, Any]


def load(path: Path = PARAMS_FILE, overrides: Mapping[str, Any] | None = None) -> dict[str, Settings]:
    """Read and validate `path`; return the settings of each network by its name.

    overrides: values for shared keys that win over the file, for all networks alike (a command line's options).
    Raises KellyError with a line for every key that is unknown, missing, of a wrong type or out of range.
    """
    params = _validated(path, overrides or {})
    found = {name: settings(params, task) for name, task in TASKS.items()}
    late = [
        f"\n  {name}: warmup_epochs is {s.training.warmup_epochs}, expected fewer than its epochs, {s.training.epochs}"
        for name, s in found.items()
        if s.training.warmup_epochs >= s.training.epochs
    ]
    if late:
        raise KellyError(f"{path} has {len(late)} mistake(s), nothing was started:{''.join(late)}")
    return found


def source_settings(source: str, path: Path = PARAMS_FILE) -> dict[str, dict[str, Any]]:
    """What `path` says of a source, chosen or not, for each network that it serves. Errors as those of `load`."""
    models: Any = _validated(path, {}).models
    serves = [name for name, task in TASKS.items() if source in task.sources]
    return {name: getattr(getattr(models, name).data, source).model_dump() for name in serves}


def _validated(path: Path, overrides: Mapping[str, Any]) -> "Params":
    content = read_yaml(path)
    for key, value in overrides.items():
        content[key] = value
        for model in content["models"].values() if isinstance(content.get("models"), dict) else ():
            if isinstance(model, dict) and key in model:
                model[key] = None
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        lines = "\n".join(f"  {line}" for line in explain(error))
        raise KellyError(f"{path} has {error.error_count()} mistake(s), nothing was started:\n{lines}") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises KellyError where it is missing, unreadable, empty or not a mapping."""
    try:
        # The parser that DVC reads the file with: YAML 1.2, where 1e-05 is a number, and no key stands twice.
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise KellyError(
            f"{path} is missing; run from the project's folder, or restore it: git checkout {path}"
        ) from None
    except (OSError, ValueError, YAMLError) as error:  # ValueError: not UTF-8, or a date that does not exist
        reason = re.split(r"\n\s*(?=To suppress this|Duplicate keys will)", str(error))[0]
        raise KellyError(f"{path} cannot be read as YAML in UTF-8: {reason}") from None
    except RecursionError:
        raise KellyError(f"{path} cannot be read as YAML: it is nested too deeply; see git show HEAD:{path}") from None
    if not isinstance(content, dict):
        found = "nothing" if content is None else f"a {type(content).__name__}"
        raise KellyError(f"{path} holds {found}, expected the settings as `key: value`; see git show HEAD:{path}")
    return content


def settings(params: Params, task: Task) -> Settings:
    """The settings of one network, its own values in the place of the shared ones."""
    own: Any = getattr(params.models, task.name)

    def resolved(kind: type[BaseModel]) -> Any:
        names = kind.model_fields
        return kind(**{n: v if (v := getattr(own, n, None)) is not None else getattr(params, n) for n in names})

    training, splitting = resolved(Training), resolved(Splitting)
    if params.training_seed is not None:
        training = training.model_copy(update={"seed": params.training_seed})
    data = getattr(own.data, own.data.source).model_dump()
    if data.get("seed", 0) is None:
        data["seed"] = params.seed
    return Settings(task, training, splitting, own.data.source, data, params.extraction, params.search)


def explain(error: ValidationError) -> list[str]:
    """One line a mistake: the key, what was found, what was expected, what to do."""
    lines = []
    for mistake in error.errors():
        key = ".".join(str(part) for part in mistake["loc"])
        found = BRIEF.repr(mistake["input"])
        match mistake["type"]:
            case "extra_forbidden":
                known = known_keys(mistake["loc"][:-1])
                near = difflib.get_close_matches(str(mistake["loc"][-1]), known, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
                lines.append(f"{key}: unknown key; {hint}")
            case "missing":
                optional = issubclass(parent(mistake["loc"][:-1]), Model) and mistake["loc"][-1] != "data"
                lines.append(f"{key}: missing; add it{' (null: as shared)' if optional else ''}")
            case "literal_error" if key.endswith("data.source") and mistake["input"] in SERVED_BY:
                lines.append(f"{key}: {cannot_serve(str(mistake['loc'][1]), mistake['input'])}")
            case _:
                lines.append(f"{key}: found {found}, expected {expected(mistake)}")
    return lines


def cannot_serve(model: str, source: str) -> str:
    """Why a network cannot learn from a source, which networks can, and what this one learns from."""
    # Looked up here alone, so that a stage which reads no music does not depend on its layouts.
    layout, task = resolve_name("kelly.datasets.layouts:LAYOUTS").get(source), TASKS[model]
    why = f", which {layout.lacks}" if layout is not None and layout.lacks else ""
    return (
        f"{task.title} cannot learn from {source!r}{why}; it serves {', '.join(SERVED_BY[source])}. "
        f"{task.title} learns from {', '.join(task.sources)}"
    )


def expected(mistake: Any) -> str:
    """What pydantic expected, without its opening words."""
    words = re.sub(r"^((Input|List) should (be|have) |Value error, )", "", mistake["msg"])
    words = re.sub(r"a valid dictionary or instance of \w+", "a mapping of keys", words)
    return words.replace("a valid integer", "a whole number").replace("a valid ", "a ")


def parent(location: tuple[int | str, ...]) -> type[BaseModel]:
    """The part of the settings at a location within the file."""
    part: type[BaseModel] = Params
    for name in location:
        part = part.model_fields[str(name)].annotation  # type: ignore[assignment]
    return part


def known_keys(location: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand at a location within the file."""
    return list(parent(location).model_fields)
