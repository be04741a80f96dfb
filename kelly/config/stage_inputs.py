"""What a stage of dvc.yaml depends on, and whether it changed while the stage ran.

DVC hashes settings, code and data when a stage has ended, and would record a result under settings that it was not made
with. A stage compares them itself; what is edited in the moment between that and DVC's hash is found later by its
record, which is an output as well.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from kelly.config.yaml_file import parse_yaml, read_yaml
from kelly.runtime.atomic import write_text
from kelly.runtime.errors import KellyError

PARAMS_FILE, PIPELINE, RECORDS = Path("params.yaml"), Path("dvc.yaml"), Path("data/stages")
CODE = ("kelly", "stages")
MISSING = object()

Files = dict[Path, object]


class Code:
    """Settings and code at the time when it is made: before a stage imports anything that affects its outputs."""

    def __init__(self) -> None:
        self.params = PARAMS_FILE.read_bytes() if PARAMS_FILE.is_file() else b""
        self.files: Files = {path: content_hash(path) for folder in CODE for path in files(Path(folder))}


class StageInputs:
    """What one stage of dvc.yaml depends on, as it was when the stage began.

    stage, model: as in dvc.yaml; model is empty for a stage of all networks
    Raises KellyError where dvc.yaml cannot be read.
    """

    def __init__(self, code: Code, stage: str, model: str = "") -> None:
        declared = read_yaml(PIPELINE)["stages"][stage]
        declared = declared.get("do", declared)
        self.name = f"{stage}@{model}" if model else stage
        self.code = code
        self.params = [key.replace("${item}", model) for key in declared.get("params", [])]
        self.deps = [Path(dep.replace("${item}", model)) for dep in declared["deps"]]
        self.files: Files = {path: size_and_time(path) for path in self._data()}

    def changed_params(self) -> list[str]:
        """A line for each setting of the stage that is now another: 'params.yaml: epochs was 30, is now 3'."""
        content = PARAMS_FILE.read_bytes() if PARAMS_FILE.is_file() else b""
        if content == self.code.params:
            return []
        try:
            before, now = parse_yaml(self.code.params), parse_yaml(content)
        except (ValueError, RecursionError, yaml.YAMLError):  # just being written, or broken
            return [f"{PARAMS_FILE} was another"]
        values = [(key, get(before, key), get(now, key)) for key in self.params]
        return [
            f"{PARAMS_FILE}: {key} was {show(old)}, is now {show(new)}"
            for key, old, new in values
            if repr(old) != repr(new)
        ]

    def check(self) -> None:
        """Raise KellyError where settings, code or data of the stage are others than when it began."""
        before = {path: value for path, value in self.code.files.items() if self._depends_on(path)} | self.files
        now: Files = {path: content_hash(path) for dep in self.deps if is_code(dep) for path in files(dep)}
        now |= {path: size_and_time(path) for path in self._data()}
        changed = sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))
        if lines := self.changed_params() + [f"{path} was written, added or removed" for path in changed]:
            raise KellyError(
                "what this stage depends on changed while it was running, so DVC must not record its result; run it "
                "again, with the earlier values or the new ones. An unfinished training continues if the earlier ones "
                "are restored:" + "".join(f"\n  {line}" for line in lines[:20])
            )

    def record(self) -> dict[str, Any]:
        """The settings and the hash of the code with which the stage began, as JSON values."""
        params, lines = parse_yaml(self.code.params), []
        for path, digest in sorted(self.code.files.items()):
            if self._depends_on(path):
                lines.append(f"{digest} {path.as_posix()}\n")
        code = hashlib.sha256("".join(lines).encode()).hexdigest()
        values = {key: get(params, key) for key in self.params}
        found = {key: value for key, value in values.items() if value is not MISSING}
        return dict(json.loads(json.dumps({"params": found, "code": code})))

    def write_record(self) -> None:
        """Write what `differences_from_record` reads."""
        write_text(RECORDS / f"{self.name}.json", json.dumps(self.record(), indent=2) + "\n")

    def differences_from_record(self) -> list[str]:
        """A line for each difference of the settings and code from those of the last run; none where it is unknown."""
        from kelly.config.effective import flatten  # imports much that a stage must not have imported when it begins

        path, now = RECORDS / f"{self.name}.json", self.record()
        if not path.is_file():
            return []
        try:
            before = dict(json.loads(path.read_bytes()))
            old, new = dict(flatten(before["params"])), dict(flatten(now["params"]))
        except (ValueError, TypeError, KeyError, AttributeError):
            return [f"{path} cannot be read"]
        lines = [
            f"{key}: made with {show(old.get(key))}, now {show(new.get(key))}"
            for key in sorted(old.keys() | new.keys())
            if old.get(key) != new.get(key)
        ]
        return [*lines, *(["code: made with another version"] if before.get("code") != now["code"] else [])]

    def _depends_on(self, path: Path) -> bool:
        return any(path == dep or dep in path.parents for dep in self.deps)

    def _data(self) -> Iterator[Path]:
        for dep in self.deps:
            if not is_code(dep):
                yield from files(dep)


def is_code(path: Path) -> bool:
    """Whether a dependency is code."""
    return path.parts[0] in CODE


def files(path: Path) -> Iterator[Path]:
    """A file, or all files below a folder, as DVC tracks them."""
    if path.is_dir():
        yield from (file for file in path.rglob("*") if file.is_file() and not is_ignored(file))
    elif path.exists():
        yield path


def is_ignored(path: Path) -> bool:
    """Whether a file is Python's or an editor's, which .dvcignore lists."""
    return "__pycache__" in path.parts or path.name.startswith(".") or path.name.endswith("~")


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes; empty where it was removed since it was listed."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def size_and_time(path: Path) -> tuple[int, ...]:
    """Size, modification time and inode: data is too large to be read twice. Empty where it was removed."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return ()
    return status.st_size, status.st_mtime_ns, status.st_ino


def get(content: Any, key: str) -> Any:
    """The value of a dotted key, MISSING where there is none."""
    for part in key.split("."):
        content = content.get(part, MISSING) if isinstance(content, dict) else MISSING
    return content


def show(value: Any) -> str:
    """A value in a message."""
    return "missing" if value is MISSING else f"{value!s:.200}"
