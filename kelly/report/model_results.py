"""All that the page tells of one network, as the pipeline left it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kelly.evaluation.results import best_row
from kelly.runtime.errors import KellyError
from kelly.tasks import Task


@dataclass(frozen=True)
class Facts:
    """What is known of one network.

    scores: its metrics; about: the content of its dataset.json; metadata: what its export says of itself
    history: the columns of its training
    """

    task: Task
    scores: Mapping[str, float]
    about: Mapping[str, Any]
    metadata: Mapping[str, Any]
    history: Mapping[str, Sequence[float]]

    @property
    def revision(self) -> str:
        """The commit of the code that made it, '' where that is not known."""
        return str(self.metadata.get("revision") or "")

    @property
    def skipped(self) -> Sequence[Mapping[str, str]]:
        """The files that its source could not use, each with the reason."""
        found: Sequence[Mapping[str, str]] = self.about["facts"].get("skipped", ())
        return found

    @property
    def best_row(self) -> int:
        """The row of the history with the lowest validation loss."""
        return best_row(self.history)


def read_picture(path: Path) -> str:
    """An SVG that the pipeline drew, `{model}_{what}.svg`. Raises KellyError where it is missing."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise KellyError(
            f"{path} cannot be read ({reason}); draw it again: dvc repro -f -s evaluate@{path.stem.partition('_')[0]}"
        ) from None
