"""What a git revision, an experiment of DVC or the workspace holds of one network; read through DVC, never changed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from kelly.config.effective import Setting, settings
from kelly.config.params import SplitConfig
from kelly.data.dataset import hash_arrays, read_metadata
from kelly.data.loading import DATA, datasets_folder
from kelly.rtneural.document import document
from kelly.rtneural.reader import Model, parse
from kelly.runtime.errors import KellyError
from kelly.tasks import Task

WORKSPACE = "workspace"
EXPECTED = f"expected a git revision, an experiment that has run (dvc exp show), or {WORKSPACE}"
GO = "git checkout, or dvc exp apply"


@dataclass(frozen=True)
class Export:
    """An exported network, and what its metadata says of its training.

    training: its settings without the seed; data: all that identifies its data, and sha256 its hash; code: what else
        the result depends on
    """

    model: Model
    seed: int
    training: Mapping[str, Any]
    data: Mapping[str, Any]
    sha256: str
    splitting: SplitConfig
    code: Mapping[str, Any]

    @property
    def test_side(self) -> tuple[Any, ...]:
        """What the test pieces, and what a network hears of them, are told by."""
        s = self.splitting
        # Test pieces are drawn before those of validation, a control's inputs after them.
        order = s.validation_split if s.shuffle_inputs else None
        return self.sha256, s.seed, s.test_split, s.shuffle_inputs, order


@dataclass(frozen=True)
class Run:
    """What a revision holds of one network; {} or None for what is not there.

    settings: by their names without the network's; fault: why there is no export
    """

    name: str
    settings: Mapping[str, Setting]
    scores: Mapping[str, Any]
    history: Mapping[str, Sequence[float]]
    export: Export | None
    fault: str = ""


class Revision:
    """A revision by its name. Raises KellyError where DVC knows none of that name, or no settings in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        try:
            if not name:
                raise KellyError("found an empty name")
            self.files = DVCFileSystem(rev=None if name == WORKSPACE else name)
            # Not by dvc.api.params_show, which reads all stages of the workspace as well, each time.
            self.params = YAML(typ="safe", pure=True).load(self.files.read_bytes("params.yaml"))
            if not isinstance(self.params, dict) or not isinstance(self.params.get("models"), dict):
                raise KellyError("its params.yaml says nothing of models")
        except FileNotFoundError:
            raise KellyError(f"{name}: there is no params.yaml, run from the project's folder; {EXPECTED}") from None
        except YAMLError as error:
            raise KellyError(f"{name}: params.yaml cannot be read as YAML: {error}; see kelly check") from None
        except AttributeError:  # of what git knows by that name, but is no commit
            raise KellyError(f"{name}: is no commit; {EXPECTED}") from None
        except (DvcException, OSError, KellyError) as error:
            raise KellyError(f"{name}: {error}; {EXPECTED}") from None

    def read(self, path: str) -> bytes | None:
        """A file of git's or DVC's; None where it is not there or in no cache."""
        try:
            data: bytes = self.files.read_bytes(path)
        except FileNotFoundError:
            return None
        except DvcException as error:
            raise KellyError(f"{self.name}: {path} cannot be read: {error}") from None
        return data

    def export(self, task: Task) -> bytes | None:
        """The bytes of the network's export."""
        return self.read(f"trained_models/{task.name}.json")

    def scores(self, task: Task) -> Mapping[str, Any]:
        """The network's metrics."""
        scores: Mapping[str, Any] = self._json(f"metrics/{task.name}.json").get(task.name, {})
        return scores

    def run(self, task: Task) -> Run:
        """All that is held of one network. Raises KellyError where that is nothing."""
        scores, data = self.scores(task), self.export(task)
        history = self._json(f"trained_models/history/{task.name}_history.json")
        if not scores and data is None:
            raise KellyError(
                f"{self.name} holds neither metrics nor an export of {task.title}; run the pipeline there, or name "
                "other networks: --models"
            )
        export, fault = None, f"its export is in no cache; fetch it (dvc pull), or go there ({GO}) and dvc repro"
        if data is not None:
            try:
                export, fault = read_export(task, data), ""
            except KellyError as error:
                fault = f"its export cannot be used, {error}"
        try:
            own = settings(self.params, task.name)
        except (AttributeError, TypeError):
            raise KellyError(f"{self.name}: params.yaml has no settings of {task.title}, see kelly check") from None
        return Run(self.name, own, scores, history, export, fault)

    def _json(self, path: str) -> Mapping[str, Any]:
        try:
            content = orjson.loads(self.read(path) or b"{}")
        except orjson.JSONDecodeError as error:
            raise KellyError(f"{self.name}: {path} is not JSON ({error}); run the pipeline there again") from None
        return content if isinstance(content, dict) else {}

    @contextmanager
    def data(self, task: Task, sha256: str) -> Iterator[Path]:
        """The folder of the data of that hash: the workspace's, or fetched from DVC's cache for as long as it is used.

        Raises KellyError where it is in neither.
        """
        here = datasets_folder(DATA, task.name)
        if holds(here, sha256):
            yield here
            return
        with TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
            there = Path(temporary) / task.name
            try:
                self.files.get(here.as_posix(), str(there), recursive=True)
            except (DvcException, OSError) as error:
                raise KellyError(
                    f"the data of {task.title} at {self.name} ({sha256[:12]}) is neither in {here} nor in a cache "
                    f"({error}); fetch it (dvc pull), or go there ({GO}) and dvc repro"
                ) from None
            if not holds(there, sha256):
                raise KellyError(
                    f"the data of {task.title} at {self.name} is not what its export was trained on ({sha256[:12]}); "
                    "run the pipeline there again"
                )
            yield there


def holds(folder: Path, sha256: str) -> bool:
    """Whether the data in a folder is that of the hash, by what it says and by what it is."""
    return (folder / "dataset.json").exists() and read_metadata(folder)["sha256"] == sha256 == hash_arrays(folder)


def read_export(task: Task, data: bytes) -> Export:
    """An export from its bytes. Raises KellyError where it is broken, another network, or says not what it is."""
    model = parse(document(data))
    if (found := (model.num_inputs, model.num_outputs)) != (expected := (task.num_inputs, task.num_outputs)):
        raise KellyError(f"found {found} inputs and outputs, expected {expected}")
    told = model.metadata
    try:
        training = {key: value for key, value in told["params"].items() if key != "seed"}
        splitting = SplitConfig.model_validate(told["data"]["splitting"])
        code = {"training code": told["code"], "torch": told["torch_version"]}
        return Export(model, told["seed"], training, told["data"], str(told["data"]["sha256"]), splitting, code)
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        raise KellyError(f"its metadata does not say how it was trained ({error!r:.80})") from None
