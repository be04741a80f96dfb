"""Files, measured side by side: what a run has measured stays on disk, so that memory is flat and a stop loses little.

Files are measured in chunks by as many processes as joblib is told to use (or a Dask cluster), each chunk written by
the process that measured it. A chunk that is there is not measured again, as long as files, settings, code and
libraries are the same.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
from tqdm import tqdm

from kelly.runtime.atomic import replacing, write_text
from kelly.runtime.errors import KellyError
from kelly.sources.extraction import chunks
from kelly.sources.extraction.chunks import Chunk
from kelly.sources.extraction.measured import Measured
from kelly.sources.layouts.listing import Entry

CHUNK_FILES = 32
LIBRARIES = ("numpy", "mido", "symusic", "soundfile", "soxr", "datasketch")  # that what is measured hangs on
SOURCE = Path(__file__).parents[2]  # all of kelly

Measure = Callable[..., Measured]


@dataclass(frozen=True)
class Job:
    """What is measured, and how: by `measure(entry, **settings)`, a function that other processes can import."""

    entries: list[Entry]
    measure: Measure
    settings: dict[str, Any] = field(default_factory=dict)

    def files(self) -> str:
        """SHA-256 of what the folder says of its pieces, and of their files' sizes and times."""
        whole = hashlib.sha256()
        for entry in self.entries:
            whole.update(repr(replace(entry, ratings=None)).encode("utf-8", "surrogateescape"))
            whole.update(b"" if entry.ratings is None else entry.ratings.tobytes())  # NumPy's repr leaves some out
            for path in (entry.path, entry.beats, entry.chords):
                whole.update(_size_and_time(path).encode())
        return whole.hexdigest()

    def key(self) -> str:
        """SHA-256 of all that the outcome depends on: files, settings, code, libraries."""
        whole = hashlib.sha256((self.files() + _code()).encode())
        settings = {name: getattr(value, "__module__", value) for name, value in sorted(self.settings.items())}
        whole.update(repr((self.measure.__module__, self.measure.__name__, settings)).encode())
        if soundfont := self.settings.get("soundfont"):
            whole.update(_size_and_time(Path(soundfont)).encode())
        return whole.hexdigest()


def _size_and_time(path: Path | None) -> str:
    try:
        about = path.stat() if path is not None else None
    except OSError:
        about = None
    return "" if about is None else f"{about.st_size} {about.st_mtime_ns} "


def _code() -> str:
    whole = hashlib.sha256(" ".join(f"{name} {version(name)}" for name in LIBRARIES).encode())
    for path in sorted(SOURCE.rglob("*.py")):
        whole.update(path.read_bytes())
    return whole.hexdigest()


def run(job: Job, workspace: Path, description: str) -> Iterator[Chunk]:
    """Measure all files that are not measured yet, and yield their chunks in order.

    workspace: a folder for the chunks, on a disk that all workers see. Raises KellyError where a worker dies.
    """
    number_of = -(-len(job.entries) // CHUNK_FILES)
    _prepare(workspace, job.key())
    paths = [workspace / f"{number:05d}.npz" for number in range(number_of)]
    parts = [job.entries[i * CHUNK_FILES : (i + 1) * CHUNK_FILES] for i in range(number_of)]
    missing = [i for i, path in enumerate(paths) if not chunks.is_whole(path)]
    done = len(job.entries) - sum(len(parts[i]) for i in missing)
    work = joblib.Parallel(return_as="generator")(
        joblib.delayed(_measure_chunk)(job.measure, job.settings, _absolute(parts[i]), paths[i].absolute())
        for i in missing
    )
    at = 0
    try:
        with tqdm(total=len(job.entries), initial=done, desc=description, unit="file", disable=None) as progress:
            for at, _ in enumerate(work):
                progress.update(len(parts[missing[at]]))
    except Exception as error:
        if not isinstance(error, BrokenProcessPool) and type(error).__name__ != "KilledWorker":  # joblib's, and Dask's
            raise
        names = [entry.name for entry in parts[missing[min(at, len(missing) - 1)]]]
        raise KellyError(
            f"a reading process was killed at a file from {names[0]} to {names[-1]} or soon after, by a file that "
            "breaks a library or for lack of memory; leave that file out, or set fewer workers: extraction.num_workers"
        ) from error
    for path in paths:
        yield Chunk(path)


def _prepare(workspace: Path, key: str) -> None:
    """Keep the chunks of the same job, and clear away those of another."""
    about = workspace / "key"
    if about.exists() and about.read_text(encoding="utf-8") == key:
        return
    shutil.rmtree(workspace, ignore_errors=True)
    workspace.mkdir(parents=True)
    write_text(about, key)


def _absolute(entries: list[Entry]) -> list[Entry]:
    """The same files for a worker that runs in another folder, as those of a cluster do."""
    paths = ("path", "beats", "chords")
    return [
        replace(entry, **{name: path.absolute() for name in paths if (path := getattr(entry, name)) is not None})
        for entry in entries
    ]


def _measure_chunk(measure: Measure, settings: dict[str, Any], entries: list[Entry], path: Path) -> None:
    def attempt(entry: Entry) -> Measured | KellyError:
        try:
            return measure(entry, **settings)
        except KellyError as error:
            return error

    with replacing(path) as temporary:
        chunks.write(temporary, entries, [attempt(entry) for entry in entries])
