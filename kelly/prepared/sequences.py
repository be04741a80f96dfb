"""The one form that every data source yields: sequences of frames with their targets, stored as .npy files."""

import hashlib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from kelly.safety.atomic import replacing, write_text
from kelly.safety.errors import KellyError

ABOUT = ("model", "source", "settings", "num_sequences", "num_frames", "num_pieces", "facts", "sha256")  # dataset.json


@dataclass(frozen=True)
class Sequences:
    """Sequences of one network's inputs and targets; every array has num_sequences rows.

    inputs: float32[num_sequences, num_frames, in]
    targets: float32[num_sequences, num_frames, out], or int64[num_sequences, num_frames] where a class is predicted
    groups: str[num_sequences], the piece a sequence was cut from; a piece never stands on two sides of a split
    mask: bool, shape of targets, False where a target is missing (not played, past the end); None: all are there
    official: str[num_sequences], the published side: 'train', 'validation' or 'test'; None: the set has none
    oracle: float32[num_sequences, num_frames, out], the best possible prediction, where the law of the data is known
    heard: float32[num_sequences, num_frames, out], the target last heard, nan where nothing was, for the persistence
        reference; or None
    category: str[num_sequences], a trait of the piece (mode, style) for the table reference; or None
    augmented: bool[num_sequences], true for variations of a sequence, which only training sees; or None
    """

    inputs: NDArray[np.float32]
    targets: NDArray[np.float32] | NDArray[np.int64]
    groups: NDArray[np.str_]
    mask: NDArray[np.bool_] | None = None
    official: NDArray[np.str_] | None = None
    oracle: NDArray[np.float32] | None = None
    heard: NDArray[np.float32] | None = None
    category: NDArray[np.str_] | None = None
    augmented: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: NDArray[np.intp] | slice) -> "Sequences":
        """The sequences at `rows`, in that order; those of a slice are not copied."""
        present = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{name: array[rows] for name, array in present.items() if array is not None})

    def save(self, folder: Path) -> None:
        """Write every array that is present as `<folder>/<name>.npy`."""
        for f in fields(self):
            array = getattr(self, f.name)
            if array is not None:
                with replacing(folder / f"{f.name}.npy") as temporary:
                    np.save(temporary, array)

    @classmethod
    def load(cls, folder: Path) -> "Sequences":
        """Memory-map what `save` wrote. Raises KellyError where a file is missing or is not an array."""
        arrays = {}
        for f in fields(cls):
            path = folder / f"{f.name}.npy"
            if path.exists():
                try:
                    arrays[f.name] = np.load(path, mmap_mode="r", allow_pickle=False)
                except (ValueError, OSError, EOFError) as error:
                    raise KellyError(
                        f"{path} is not a readable .npy array ({error}); delete it and prepare the data again"
                    ) from None
            elif f.name in ("inputs", "targets", "groups"):
                raise KellyError(f"{path} is missing; prepare the data first: dvc repro generate")
        return cls(**arrays)


@dataclass(frozen=True)
class Dataset:
    """What a source made: the sequences, one long stream where it has one, and facts for people to read.

    stream: one row of at least 2,000 frames in which an LSTM's state is never reset; None: the test pieces, one
        after another, serve instead
    facts: JSON values only: counts, units; of a source of files, `files`, how many there were, and `skipped`, those
        that could not be used, each with its reason
    """

    sequences: Sequences
    stream: Sequences | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def state(self) -> str:
        """What tells whether its source changed since: it cannot."""
        return ""

    def save_arrays(self, folder: Path, _workspace: Path) -> dict[str, Any]:
        """Write the arrays to `folder`, the stream's to `<folder>/stream/`; return the facts."""
        self.sequences.save(folder)
        if self.stream is not None:
            self.stream.save(folder / "stream")
        return self.facts

    @classmethod
    def load(cls, folder: Path) -> "Dataset":
        """Memory-map what `kelly.datasets.generate` wrote. Raises KellyError where an array is missing or broken."""
        stream = Sequences.load(folder / "stream") if (folder / "stream").exists() else None
        return cls(Sequences.load(folder), stream, read_about(folder)["facts"])


def digest(folder: Path) -> str:
    """The SHA-256 of all arrays of a data set, as it stands in its dataset.json."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*.npy")):
        whole.update(path.relative_to(folder).as_posix().encode())
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


def describe(folder: Path, about: dict[str, Any], facts: dict[str, Any]) -> None:
    """Write `<folder>/dataset.json`: what the caller knows of the data (source, settings), facts, counts, hash."""
    sequences = Sequences.load(folder)
    counts = {
        "num_sequences": len(sequences),
        "num_frames": sequences.inputs.shape[1],
        "num_pieces": len(np.unique(sequences.groups)),
    }
    content = {**about, **counts, "facts": facts, "sha256": digest(folder)}
    write_text(folder / "dataset.json", orjson.dumps(content, option=orjson.OPT_INDENT_2).decode() + "\n")


def read_about(folder: Path) -> dict[str, Any]:
    """The content of `<folder>/dataset.json`: model, source, settings, counts, facts, hash."""
    path = folder / "dataset.json"
    try:
        content: dict[str, Any] = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise KellyError(f"{path} is missing; prepare the data first: dvc repro generate@{folder.name}") from None
    except orjson.JSONDecodeError as error:
        raise KellyError(f"{path} is not JSON ({error}); delete {folder} and prepare the data again") from None
    missing = [key for key in ABOUT if not isinstance(content, dict) or key not in content]
    if missing:
        raise KellyError(f"{path} lacks {', '.join(missing)}; delete {folder} and prepare the data again")
    return content
