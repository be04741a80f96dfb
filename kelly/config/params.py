"""params.yaml → one TaskConfig per network; all mistakes in the file are reported at once, before any work is done."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, create_model, field_validator

from kelly.config.messages import describe_errors
from kelly.config.sources import DATA_CONFIGS, StrictModel, source_names
from kelly.config.yaml_file import read_yaml
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS, Task

PARAMS_FILE = Path("params.yaml")
ScheduleKind = Literal["constant", "cosine"]
MAX_COUNT = 10_000_000  # of epochs or sequences: beyond any use, and far from where integers overflow
DEVICES = ("auto", "cpu", "cuda", "mps")


class TrainingConfig(StrictModel):
    """How a network is trained."""

    seed: int = Field(ge=0, lt=2**32)
    epochs: int = Field(ge=1, le=MAX_COUNT)
    batch_size: int = Field(ge=1, le=MAX_COUNT)
    learning_rate: float = Field(gt=0, le=1000)
    early_stopping_patience: int = Field(ge=1, le=MAX_COUNT)
    early_stopping_min_delta: float = Field(ge=0)
    early_stopping_min_delta_mode: Literal["abs", "rel"]
    weight_decay: float = Field(ge=0, le=1000)
    max_gradient_norm: float = Field(ge=0)
    learning_rate_schedule: ScheduleKind
    warmup_epochs: int = Field(ge=0, le=MAX_COUNT)
    device: Literal["auto", "cpu", "cuda", "mps"]
    num_threads: int = Field(ge=1, le=256)


# What one network may set for itself; None: the shared value.
Overrides = create_model(
    "Overrides",
    __base__=StrictModel,
    **{
        name: (Annotated[field.annotation, field] | None, None)
        for name, field in TrainingConfig.model_fields.items()
        if name not in ("seed", "device", "num_threads")
    },
)  # type: ignore[call-overload]


class SplitConfig(StrictModel):
    """How a network's data is split."""

    seed: int = Field(ge=0, lt=2**32)
    validation_split: float = Field(gt=0, lt=1)
    test_split: float = Field(gt=0, lt=1)
    shuffle_inputs: bool

    @property
    def shuffle_seed(self) -> int | None:
        """The seed that inputs are shuffled with; None: they are not."""
        return self.seed if self.shuffle_inputs else None


class ExtractionConfig(StrictModel):
    """How files of music are read."""

    num_workers: int = Field(ge=-1, le=1024)
    dask: str | None

    @field_validator("num_workers")
    @classmethod
    def _not_zero(cls, value: int) -> int:
        if value == 0:
            raise ValueError("1 or more, or -1 for one per core")
        return value


class SharedConfig(TrainingConfig, SplitConfig):
    """The settings at the top level of params.yaml, for all networks that do not override them."""

    training_seed: int | None = Field(ge=0, lt=2**32)
    extraction: ExtractionConfig


ModelTable = create_model(
    "ModelTable",
    __base__=StrictModel,
    **{
        name: (create_model(f"{task.title}Params", __base__=Overrides, data=(DATA_CONFIGS[name], ...)), ...)
        for name, task in TASKS.items()
    },
)  # type: ignore[call-overload]


class Params(SharedConfig):
    """The whole of params.yaml."""

    as_shared: dict[str, None]  # the anchor that gives every network all keys of Overrides: `dvc exp run -S` needs them
    search: dict[str, Any]  # see kelly.experiments.search_space
    models: ModelTable  # type: ignore[valid-type]


@dataclass(frozen=True)
class TaskConfig:
    """Everything that is set for one network, its own values in place of the shared ones.

    data: the settings of the chosen source; search: see kelly.experiments.search_space
    """

    task: Task
    training: TrainingConfig
    splitting: SplitConfig
    source: str
    data: Mapping[str, Any]
    extraction: ExtractionConfig
    search: Mapping[str, Any]


def load(path: Path = PARAMS_FILE, overrides: Mapping[str, Any] | None = None) -> dict[str, TaskConfig]:
    """Read and validate `path`; return the configuration of each network by its name.

    overrides: values for shared keys that replace those of the file, for all networks (the options of a command line)
    Raises KellyError with a line for every key that is unknown, missing, of a wrong type or out of range.
    """
    params = _validated(path, overrides or {})
    configs = {name: _task_config(params, task) for name, task in TASKS.items()}
    too_long = [
        f"\n  {name}: warmup_epochs is {c.training.warmup_epochs}, expected fewer than its epochs, {c.training.epochs}"
        for name, c in configs.items()
        if c.training.warmup_epochs >= c.training.epochs
    ]
    if too_long:
        raise KellyError(f"{path} has {len(too_long)} mistake(s), nothing was started:{''.join(too_long)}")
    return configs


def source_settings(source: str, path: Path = PARAMS_FILE) -> dict[str, dict[str, Any]]:
    """The settings of a source, chosen or not, for each network that can learn from it. Raises as `load` does."""
    models: Any = _validated(path, {}).models
    names = [name for name in TASKS if source in source_names(name)]
    return {name: getattr(getattr(models, name).data, source).model_dump() for name in names}


def _validated(path: Path, overrides: Mapping[str, Any]) -> Params:
    content = read_yaml(path)
    for key, value in overrides.items():
        content[key] = value
        for model in content["models"].values() if isinstance(content.get("models"), dict) else ():
            if isinstance(model, dict) and key in model:
                model[key] = None
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        lines = "\n".join(f"  {line}" for line in describe_errors(error, Params))
        raise KellyError(f"{path} has {error.error_count()} mistake(s), nothing was started:\n{lines}") from None


def _task_config(params: Params, task: Task) -> TaskConfig:
    own: Any = getattr(params.models, task.name)

    def resolved(kind: type[BaseModel]) -> Any:
        names = kind.model_fields
        return kind(**{n: v if (v := getattr(own, n, None)) is not None else getattr(params, n) for n in names})

    training, splitting = resolved(TrainingConfig), resolved(SplitConfig)
    if params.training_seed is not None:
        training = training.model_copy(update={"seed": params.training_seed})
    data = getattr(own.data, own.data.source).model_dump()
    if data.get("seed", 0) is None:
        data["seed"] = params.seed
    return TaskConfig(task, training, splitting, own.data.source, data, params.extraction, params.search)
