"""What the metadata of an export may contain: one model for Python and, as its JSON schema, for the audition page.

Every key may be missing, as in exports of older versions, and unknown keys are kept. A key that is present has its
type: null only where the model says so, no text for a number. As in JSON Schema, 3.0 is an integer.
"""

import reprlib
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from kelly.runtime.errors import KellyError

OPEN = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)
MAX_INTEGER = 2**53 - 1  # larger integers are not exact in JavaScript
MAX_MISTAKES = 5  # in a message


def as_integer(value: Any) -> Any:
    """3 of 3.0; anything else unchanged."""
    return int(value) if type(value) is float and value.is_integer() else value


Count = Annotated[int, Field(ge=0, le=MAX_INTEGER), BeforeValidator(as_integer)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1), BeforeValidator(as_integer)]
Interval = Annotated[list[float], Field(min_length=2, max_length=2)]
Emotions = Annotated[list[Annotated[float, Field(ge=-1, le=1)]], Field(min_length=2, max_length=2)]


@with_config(OPEN)
class VectorRange(TypedDict, total=False):
    """A range of the inputs or outputs: kelly.export.contract.part."""

    positions: Annotated[list[Count], Field(min_length=2, max_length=2)]
    values: Interval
    meaning: str
    decay: float
    names: list[str]
    vocabulary: list[str]


@with_config(OPEN)
class Params(TypedDict, total=False):
    """The training settings: kelly.config.params.TrainingConfig, less of them in older exports."""

    seed: Seed
    epochs: Count
    batch_size: Count
    learning_rate: float
    early_stopping_patience: Count


@with_config(OPEN)
class SourceSettings(TypedDict, total=False):
    """The settings of the data source that readers of the metadata use."""

    part: str
    context: str


@with_config(OPEN)
class Splitting(TypedDict, total=False):
    """How the data was split: kelly.config.params.SplitConfig."""

    seed: Seed
    validation_split: float
    test_split: float
    shuffle_inputs: bool


@with_config(OPEN)
class Data(TypedDict, total=False):
    """The data trained on: kelly.data.loading.data_fingerprint."""

    source: str
    settings: SourceSettings
    splitting: Splitting
    sha256: str
    num_sequences: Count
    num_frames: Count
    num_pieces: Count
    num_train: Count
    num_validation: Count
    num_test: Count
    fold: str | None


@with_config(OPEN)
class EmotionRange(TypedDict):
    """The range of valence and arousal in the training data, each [low, high]."""

    valence: Emotions
    arousal: Emotions


@with_config(OPEN)
class Checkpoint(TypedDict, total=False):
    """The checkpoint that was exported."""

    sha256: str
    epoch: Count
    val_loss: float


@with_config(OPEN)
class Metadata(TypedDict, total=False):
    """The metadata of an export; docs/export-format.md describes the keys."""

    format_version: Count
    model: str
    inputs: Annotated[list[VectorRange], Field(min_length=1)]
    outputs: Annotated[list[VectorRange], Field(min_length=1)]
    recurrent: bool
    num_parameters: Count
    seed: Seed
    params: Params
    data: Data
    emotion: EmotionRange
    torch_version: str
    code: str
    origin: str
    revision: str | None
    checkpoint: Checkpoint
    loss: str
    parity_error: float


ADAPTER: TypeAdapter[Metadata] = TypeAdapter(Metadata)


def read_metadata(content: Any) -> Metadata:
    """Validate the metadata of an export. Raises KellyError with the key, what was found and what was expected."""
    try:
        return ADAPTER.validate_python(content)
    except ValidationError as error:
        lines = [
            f"{'.'.join(['metadata', *map(str, mistake['loc'])])}: found {reprlib.repr(mistake['input'])}, "
            f"expected: {mistake['msg']}"
            for mistake in error.errors(include_url=False)[:MAX_MISTAKES]
        ]
        raise KellyError("; ".join(lines)) from None
