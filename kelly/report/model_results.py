"""The results of one network as the pipeline left them: what the report shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kelly.evaluation.results import best_row, read_history
from kelly.runtime.errors import KellyError
from kelly.runtime.system_errors import raise_system_error
from kelly.tasks import TASKS, Task


@dataclass(frozen=True)
class ModelResults:
    """The results of one network.

    scores: its metrics; dataset: the content of its dataset.json; metadata: of its export, with file name and hash
    history: the columns of its training
    outdated: what differs between the export and the project as it is now, a line each
    """

    task: Task
    scores: Mapping[str, Any]
    dataset: Mapping[str, Any]
    metadata: Mapping[str, Any]
    history: Mapping[str, Sequence[float]]
    outdated: Sequence[str] = ()

    @property
    def source(self) -> str:
        """The source of its data."""
        return str(self.dataset["source"])

    @property
    def revision(self) -> str:
        """The commit of the code that exported it; '' if unknown."""
        return str(self.metadata.get("revision") or "")

    @property
    def skipped(self) -> Sequence[Mapping[str, str]]:
        """The files that its source could not use, each with the reason."""
        return list(self.dataset["facts"].get("skipped", ()))

    @property
    def best_row(self) -> int:
        """The row of the history with the lowest validation loss."""
        return best_row(self.history)


def collect_results(
    scores: Mapping[str, Mapping[str, Any]],
    models: Mapping[str, Mapping[str, Any]],
    datasets: Mapping[str, Mapping[str, Any]],
    histories: Path,
    outdated: Mapping[str, Sequence[str]],
) -> dict[str, ModelResults]:
    """The results of all networks. histories: the folder of their training histories.

    scores, models, datasets: metrics, registry entry and dataset.json of each network
    outdated: see kelly.export.up_to_date
    Raises KellyError where a history is missing or broken.
    """
    found = {}
    for name, task in TASKS.items():
        history = read_history(histories / f"{name}_history.json")
        found[name] = ModelResults(task, scores[name], datasets[name], models[name], history, outdated.get(name, ()))
    return found


def read_plot(path: Path) -> str:
    """The SVG at `path`, `{model}_{kind}.svg`. Raises KellyError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise_system_error(error, path)
        reason = error.strerror if isinstance(error, OSError) else error
        stage = f"evaluate@{path.stem.partition('_')[0]}"
        raise KellyError(f"{path} cannot be read ({reason}); plot it again: dvc repro -f -s {stage}") from None
