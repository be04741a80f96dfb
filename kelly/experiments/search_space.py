"""The search space, `search:` in params.yaml: validation, conversion to Optuna's distributions, and to settings."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from kelly.config.messages import expected
from kelly.config.params import Overrides, TaskConfig, TrainingConfig
from kelly.config.sources import StrictModel
from kelly.runtime.errors import KellyError

# The overrides of a network without those that only determine when training stops.
NAMES = tuple(name for name in Overrides.model_fields if name != "epochs" and not name.startswith("early_stopping"))
DIGITS = 3  # significant digits of a sampled number, so that it can be typed


class Space(StrictModel):
    """The values of one setting: a range, or choices."""

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    choices: list[int | float | str] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _check(self) -> "Space":
        if (self.choices is None) == (self.low is None or self.high is None):
            raise ValueError("low and high, or choices")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError("a low that is less than high")
        if self.log and (self.low is None or self.low <= 0):
            raise ValueError("a low above 0, where log is true")
        return self

    def distribution(self, is_integer: bool) -> BaseDistribution:
        """Convert to an Optuna distribution. is_integer: a range contains integers only"""
        if self.choices is not None:
            return CategoricalDistribution(self.choices)
        assert self.low is not None
        assert self.high is not None
        if is_integer:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)


def spaces(search: Mapping[str, Any], epochs: int) -> dict[str, BaseDistribution]:
    """The distribution of each setting, for at most `epochs`. Raises KellyError with a line for every error."""
    distributions, errors = {}, list[str]()
    for name, content in search.items():
        if name not in NAMES:
            errors.append(f"search.{name}: cannot be searched; expected one of: {', '.join(NAMES)}")
            continue
        field = TrainingConfig.model_fields[name]
        values: TypeAdapter[Any] = TypeAdapter(Annotated[field.annotation, field])  # type: ignore[arg-type]
        try:
            space = Space.model_validate(content)
            for value in space.choices or (space.low, space.high):
                values.validate_python(value, strict=True)
                if name == "warmup_epochs" and isinstance(value, int | float) and value >= epochs:
                    errors.append(f"search.{name}: found {value}, expected fewer than epochs, {epochs}")
        except ValidationError as error:
            errors += dict.fromkeys(f"search.{name}: {describe(e)}" for e in error.errors())
        else:
            distributions[name] = space.distribution(is_integer=field.annotation is int)
    if not search:
        errors.append("search: is empty; expected some of: " + ", ".join(NAMES))
    if errors:
        raise KellyError("params.yaml has an invalid search space:\n  " + "\n  ".join(errors))
    return distributions


def describe(mistake: Any) -> str:
    """Describe a validation error of Space."""
    loc, found = mistake["loc"], f"found {mistake['input']!r:.60}"
    if mistake["type"] == "extra_forbidden":
        return f"unknown key {loc[-1]!r}; expected one of: {', '.join(Space.model_fields)}"
    if mistake["type"] == "model_type":
        return f"{found}, expected low and high, or choices"
    if loc[:1] == ("choices",):
        return f"{found}, expected at least one choice, each a number or a string"
    if loc:
        return f"{loc[0]} is {mistake['input']!r:.60}, expected {'true or false' if loc[0] == 'log' else 'a number'}"
    return f"{found}, expected {expected(mistake)}"


def rounded(
    values: Mapping[str, Any], search: Mapping[str, BaseDistribution], fixed: Collection[str]
) -> dict[str, Any]:
    """Round values sampled from a continuous range to DIGITS. fixed: names of values that were not sampled"""
    return {
        name: float(f"{value:.{DIGITS}g}")
        if isinstance(search[name], FloatDistribution) and name not in fixed
        else value
        for name, value in values.items()
    }


def with_values(config: TaskConfig, values: Mapping[str, Any]) -> TrainingConfig:
    """The training settings with some values replaced."""
    return TrainingConfig.model_validate(config.training.model_dump() | dict(values))


def current(config: TaskConfig, search: Mapping[str, BaseDistribution]) -> dict[str, Any] | None:
    """The current values of the searched settings; None where one is outside the search space."""
    training = config.training.model_dump()
    values = {name: training[name] for name in search}
    return values if all(contains(search[name], value) for name, value in values.items()) else None


def contains(space: BaseDistribution, value: Any) -> bool:
    """Whether a distribution contains a value."""
    if isinstance(space, CategoricalDistribution):
        return value in space.choices
    assert isinstance(space, FloatDistribution | IntDistribution)
    return bool(space.low <= value <= space.high)


def as_options(model: str, values: Mapping[str, Any]) -> str:
    """The options of `dvc exp run` for these settings of a network."""
    return " ".join(f"-S models.{model}.{name}={value}" for name, value in values.items())
