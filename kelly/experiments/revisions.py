"""The results of one network in a git revision, a DVC experiment or the workspace; read through DVC, never changed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import yaml
from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from pydantic import ValidationError

from kelly.config.effective import Setting, settings
from kelly.config.params import SplitConfig
from kelly.config.yaml_file import parse_yaml
from kelly.data.dataset import hash_arrays, read_metadata
from kelly.data.loading import DATA, datasets_folder
from kelly.rtneural.document import load_json
from kelly.rtneural.reader import Model, parse
from kelly.runtime.errors import KellyError
from kelly.runtime.system_errors import raise_system_error
from kelly.tasks import Task

WORKSPACE = "workspace"
EXPECTED = f"expected a git revision, a finished DVC experiment (dvc exp show), or {WORKSPACE}"
FETCH = "fetch it (dvc pull), or check the revision out (git checkout, dvc exp apply) and run dvc repro"


@dataclass(frozen=True)
class Export:
    """An exported network and its metadata.

    training: the training settings without the seed; data: the fingerprint of the data, and sha256 its hash
    code: what else the result depends on
    """

    model: Model
    seed: int
    training: Mapping[str, Any]
    data: Mapping[str, Any]
    sha256: str
    splitting: SplitConfig
    code: Mapping[str, Any]

    @property
    def test_fingerprint(self) -> tuple[Any, ...]:
        """Identifies the test pieces and their inputs."""
        s = self.splitting
        # Test pieces are drawn before those of validation, but shuffled inputs after them.
        validation_split = s.validation_split if s.shuffle_inputs else None
        return self.sha256, s.seed, s.test_split, s.shuffle_inputs, validation_split


@dataclass(frozen=True)
class Run:
    """The results of one network in a revision; {} or None where missing.

    settings: by their keys without the network's; error: why there is no export
    """

    name: str
    settings: Mapping[str, Setting]
    scores: Mapping[str, Any]
    history: Mapping[str, Sequence[float]]
    export: Export | None
    error: str = ""


class Revision:
    """A revision by name. Raises KellyError where DVC does not know it, or it has no valid params.yaml."""

    def __init__(self, name: str) -> None:
        self.name = name
        try:
            if not name:
                raise KellyError("found an empty name")
            self.files = DVCFileSystem(rev=None if name == WORKSPACE else name)
            # dvc.api.params_show would parse all stages each time.
            self.params = parse_yaml(self.files.read_bytes("params.yaml"))
            if not isinstance(self.params, dict) or not isinstance(self.params.get("models"), dict):
                raise KellyError("its params.yaml has no models")
        except FileNotFoundError:
            raise KellyError(f"{name}: has no params.yaml; run from the project's folder; {EXPECTED}") from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise KellyError(f"{name}: params.yaml cannot be read as YAML: {error}; see kelly check") from None
        except AttributeError:  # a git object that is not a commit
            raise KellyError(f"{name}: is not a commit; {EXPECTED}") from None
        except (DvcException, OSError, KellyError) as error:
            raise_system_error(error, name)
            raise KellyError(f"{name}: {error}; {EXPECTED}") from None

    def read(self, path: str) -> bytes | None:
        """Read a file tracked by git or DVC; None where it is missing or not in a cache."""
        try:
            data: bytes = self.files.read_bytes(path)
        except FileNotFoundError:
            return None
        except DvcException as error:
            raise KellyError(f"{self.name}: {path} cannot be read: {error}") from None
        return data

    def export(self, task: Task) -> bytes | None:
        """The content of the network's export."""
        return self.read(f"trained_models/{task.name}.json")

    def scores(self, task: Task) -> Mapping[str, Any]:
        """The network's metrics."""
        scores: Mapping[str, Any] = self._json(f"metrics/{task.name}.json").get(task.name, {})
        return scores

    def run(self, task: Task) -> Run:
        """All results of one network. Raises KellyError where there are none."""
        scores, data = self.scores(task), self.export(task)
        history = self._json(f"trained_models/history/{task.name}_history.json")
        if not scores and data is None:
            raise KellyError(
                f"{self.name} has neither metrics nor an export of {task.title}; run the pipeline there, or select "
                "other networks with --models"
            )
        export, message = None, f"its export is not in the DVC cache; {FETCH}"
        if data is not None:
            try:
                export, message = read_export(task, data), ""
            except KellyError as error:
                message = f"its export cannot be used: {error}"
        try:
            effective = settings(self.params, task.name)
        except (AttributeError, TypeError):
            raise KellyError(f"{self.name}: params.yaml has no settings for {task.title}; see kelly check") from None
        return Run(self.name, effective, scores, history, export, message)

    def _json(self, path: str) -> Mapping[str, Any]:
        try:
            content = orjson.loads(self.read(path) or b"{}")
        except orjson.JSONDecodeError as error:
            raise KellyError(f"{self.name}: {path} is not JSON ({error}); run the pipeline there again") from None
        return content if isinstance(content, dict) else {}

    @contextmanager
    def data(self, task: Task, sha256: str) -> Iterator[Path]:
        """Yield the folder of the data with that hash: the workspace's, or a temporary copy from DVC's cache.

        Raises KellyError where it is in neither.
        """
        workspace = datasets_folder(DATA, task.name)
        if has_hash(workspace, sha256):
            yield workspace
            return
        with TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
            copy = Path(temporary) / task.name
            try:
                self.files.get(workspace.as_posix(), str(copy), recursive=True)
            except (DvcException, OSError) as error:
                raise_system_error(error, copy)
                raise KellyError(
                    f"the data of {task.title} at {self.name} ({sha256[:12]}) is neither in {workspace} nor in the DVC "
                    f"cache ({error}); {FETCH}"
                ) from None
            if not has_hash(copy, sha256):
                raise KellyError(
                    f"the data of {task.title} at {self.name} is not the data that its export was trained on "
                    f"({sha256[:12]}); run the pipeline there again"
                )
            yield copy


def has_hash(folder: Path, sha256: str) -> bool:
    """Whether the data in a folder has that hash, in its metadata and in fact."""
    return (folder / "dataset.json").exists() and read_metadata(folder)["sha256"] == sha256 == hash_arrays(folder)


def read_export(task: Task, data: bytes) -> Export:
    """Parse an export. Raises KellyError where it is broken, another network, or lacks training metadata."""
    model = parse(load_json(data))
    if (found := (model.num_inputs, model.num_outputs)) != (expected := (task.num_inputs, task.num_outputs)):
        raise KellyError(f"found {found} inputs and outputs, expected {expected}")
    metadata = model.metadata
    try:
        training = {key: value for key, value in metadata["params"].items() if key != "seed"}
        splitting = SplitConfig.model_validate(metadata["data"]["splitting"])
        code = {"training code": metadata["code"], "torch": metadata["torch_version"]}
        sha256 = str(metadata["data"]["sha256"])
        return Export(model, metadata["seed"], training, metadata["data"], sha256, splitting, code)
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        raise KellyError(f"its metadata does not describe its training ({error!r:.80})") from None
