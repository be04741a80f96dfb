"""What a search may try, `search:` in params.yaml: checked, drawn from, and turned into settings."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from kelly.config.messages import expected
from kelly.config.params import Overrides, TaskConfig, TrainingConfig
from kelly.config.sources import StrictModel
from kelly.runtime.errors import KellyError

# What a network may set for itself and what changes how well it learns, not how long it may.
NAMES = tuple(name for name in Overrides.model_fields if name != "epochs" and not name.startswith("early_stopping"))
DIGITS = 3  # of a drawn number: more would not be typed again


class Space(StrictModel):
    """The values of one setting."""

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    choices: list[int | float | str] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one_or_the_other(self) -> "Space":
        if (self.choices is None) == (self.low is None or self.high is None):
            raise ValueError("low and high, or choices")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError("a low that is less than high")
        if self.log and (self.low is None or self.low <= 0):
            raise ValueError("a low above 0, where log is true")
        return self

    @property
    def named(self) -> list[int | float | str]:
        """All values that it names."""
        return list(self.choices) if self.choices is not None else [v for v in (self.low, self.high) if v is not None]

    def distribution(self, whole: bool) -> BaseDistribution:
        """The same for Optuna; whole: only whole numbers lie between low and high."""
        if self.choices is not None:
            return CategoricalDistribution(self.choices)
        assert self.low is not None
        assert self.high is not None
        if whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)


def spaces(search: Mapping[str, Any], epochs: int) -> dict[str, BaseDistribution]:
    """What may be tried, by setting, in a training of at most `epochs`. KellyError with a line for every mistake."""
    found, mistakes = {}, []
    for name, content in search.items():
        if name not in NAMES:
            mistakes.append(f"search.{name}: cannot be searched; known here: {', '.join(NAMES)}")
            continue
        field = TrainingConfig.model_fields[name]
        values: TypeAdapter[Any] = TypeAdapter(Annotated[field.annotation, field])  # type: ignore[arg-type]
        try:
            space = Space.model_validate(content)
            for value in space.named:
                values.validate_python(value, strict=True)
                if name == "warmup_epochs" and not isinstance(value, str) and value >= epochs:
                    mistakes.append(f"search.{name}: found {value}, expected fewer than epochs, {epochs}")
        except ValidationError as error:
            mistakes += list(dict.fromkeys(f"search.{name}: {told(e)}" for e in error.errors()))
        else:
            found[name] = space.distribution(whole=field.annotation is int)
    if not search:
        mistakes.append("search: names no setting; known here: " + ", ".join(NAMES))
    if mistakes:
        raise KellyError("params.yaml says of a search what cannot be tried:\n  " + "\n  ".join(mistakes))
    return found


def told(mistake: Any) -> str:
    """What is wrong with the values of a setting, in a few words."""
    at, found = mistake["loc"], f"found {mistake['input']!r:.60}"
    if mistake["type"] == "extra_forbidden":
        return f"unknown key {at[-1]!r}; known here: {', '.join(Space.model_fields)}"
    if mistake["type"] == "model_type":
        return f"{found}, expected low and high, or choices"
    if at[:1] == ("choices",):
        return f"{found}, expected choices that are numbers or words, one at least"
    if at:
        return f"{at[0]} is {mistake['input']!r:.60}, expected {'true or false' if at[0] == 'log' else 'a number'}"
    return f"{found}, expected {expected(mistake)}"


def rounded(values: Mapping[str, Any], search: Mapping[str, BaseDistribution], but: Collection[str]) -> dict[str, Any]:
    """Values drawn from a range with as many digits as are typed again; `but` were not drawn."""
    return {
        name: float(f"{value:.{DIGITS}g}") if isinstance(search[name], FloatDistribution) and name not in but else value
        for name, value in values.items()
    }


def with_values(settings: TaskConfig, values: Mapping[str, Any]) -> TrainingConfig:
    """How a network is trained with some settings in the place of its own."""
    return TrainingConfig.model_validate(settings.training.model_dump() | dict(values))


def present(settings: TaskConfig, search: Mapping[str, BaseDistribution]) -> dict[str, Any] | None:
    """The present values of what is searched; None where one of them is not among those that may be tried."""
    own = settings.training.model_dump()
    values = {name: own[name] for name in search}
    return values if all(allows(search[name], value) for name, value in values.items()) else None


def allows(space: BaseDistribution, value: Any) -> bool:
    """Whether a value may be tried."""
    if isinstance(space, CategoricalDistribution):
        return value in space.choices
    assert isinstance(space, FloatDistribution | IntDistribution)
    return bool(space.low <= value <= space.high)


def as_options(model: str, values: Mapping[str, Any]) -> str:
    """The options of `dvc exp run` that give a network these settings."""
    return " ".join(f"-S models.{model}.{name}={value}" for name, value in values.items())
