"""Extracts examples from many files in parallel and keeps them on disk, so that an interrupted run resumes.

Files are extracted in shards by the processes of joblib (or a Dask cluster); each shard is written by the process that
extracted it. An existing shard is used again as long as files, settings, code and libraries are the same.
"""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from kelly.runtime.atomic import replacing, write_text
from kelly.runtime.code import hash_code
from kelly.runtime.errors import KellyError
from kelly.sources.extraction import shards
from kelly.sources.extraction.file_examples import FileExamples
from kelly.sources.extraction.shards import Shard
from kelly.sources.extraction.workers import was_killed
from kelly.sources.layouts.manifest import Entry

FILES_PER_SHARD = 32
LIBRARIES = ("numpy", "mido", "symusic", "soundfile", "soxr", "datasketch")  # whose versions the examples depend on
ALL_CODE = hash_code("")  # by a worker when it starts, which may be later

Extract = Callable[..., FileExamples]


@dataclass(frozen=True)
class ExtractionJob:
    """Files and how examples are extracted: by `extract(entry, **settings)`, which other processes can import."""

    entries: list[Entry]
    extract: Extract
    settings: dict[str, Any] = field(default_factory=dict)

    def files_fingerprint(self) -> str:
        """SHA-256 of the entries, and of their files' sizes and modification times."""
        digest = hashlib.sha256()
        for entry in self.entries:
            digest.update(repr(replace(entry, ratings=None)).encode("utf-8", "surrogateescape"))
            digest.update(b"" if entry.ratings is None else entry.ratings.tobytes())  # repr abbreviates arrays
            for path in filter(None, (entry.path, entry.beats, entry.chords)):
                digest.update(_size_and_time(path).encode())
        return digest.hexdigest()

    def fingerprint(self) -> str:
        """SHA-256 of all that the examples depend on: files, settings, code, libraries."""
        digest = hashlib.sha256((self.files_fingerprint() + _code_fingerprint()).encode())
        settings = {name: getattr(value, "__module__", value) for name, value in sorted(self.settings.items())}
        digest.update(repr((self.extract.__module__, self.extract.__name__, settings)).encode())
        if soundfont := self.settings.get("soundfont"):
            digest.update(_size_and_time(Path(soundfont)).encode())
        return digest.hexdigest()


def _size_and_time(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns} "


def _code_fingerprint() -> str:
    libraries = " ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return hashlib.sha256(f"{libraries} {ALL_CODE}".encode()).hexdigest()


def run(job: ExtractionJob, workspace: Path, description: str) -> list[Shard]:
    """Extract the examples of all files that have none yet, and return the shards in order.

    workspace: a folder for the shards, on a disk that all workers can access; description: of the progress bar
    Raises KellyError where a worker dies.
    """
    import joblib

    _clear_stale_shards(workspace, job.fingerprint())
    num_files = len(job.entries)
    parts = [job.entries[start : start + FILES_PER_SHARD] for start in range(0, num_files, FILES_PER_SHARD)]
    paths = [workspace / f"{number:05d}.npz" for number in range(len(parts))]
    missing = [i for i, path in enumerate(paths) if not shards.is_intact(path)]
    results = joblib.Parallel(return_as="generator")(
        joblib.delayed(_write_shard)(job.extract, job.settings, _absolute(parts[i]), paths[i].absolute(), ALL_CODE)
        for i in missing
    )
    num_done = num_files - sum(len(parts[i]) for i in missing)
    at = 0
    try:
        with tqdm(total=num_files, initial=num_done, desc=description, unit="file", disable=None) as progress:
            for at, _ in enumerate(results):
                progress.update(len(parts[missing[at]]))
    except Exception as error:
        if not was_killed(error):
            raise
        names = [entry.name for entry in parts[missing[min(at, len(missing) - 1)]]]
        raise KellyError(
            "remove the file that breaks a library, or set fewer workers if memory ran out: extraction.num_workers; "
            f"a process was killed while it read a file from {names[0]} to {names[-1]} or soon after"
        ) from error
    return [Shard(path) for path in paths]


def _clear_stale_shards(workspace: Path, fingerprint: str) -> None:
    """Remove the shards of another job."""
    file = workspace / "key"
    if file.exists() and file.read_text(encoding="utf-8") == fingerprint:
        return
    shutil.rmtree(workspace, ignore_errors=True)
    workspace.mkdir(parents=True)
    write_text(file, fingerprint)


def _absolute(entries: list[Entry]) -> list[Entry]:
    """The same files for a worker with another working directory, such as a cluster's."""
    paths = ("path", "beats", "chords")
    return [
        replace(entry, **{name: path.absolute() for name in paths if (path := getattr(entry, name)) is not None})
        for entry in entries
    ]


def _write_shard(extract: Extract, settings: dict[str, Any], entries: list[Entry], path: Path, code: str) -> None:
    if code != ALL_CODE:
        raise KellyError("the code changed while files were read, or is another on another machine; run it again")

    def attempt(entry: Entry) -> FileExamples | KellyError:
        try:
            return extract(entry, **settings)
        except KellyError as error:
            return error

    with replacing(path) as temporary:
        shards.write(temporary, entries, [attempt(entry) for entry in entries])
