"""The form that every data source yields: sequences of frames with their targets, stored as .npy files."""

import hashlib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import orjson
from numpy.typing import NDArray

from kelly.runtime.atomic import replacing, write_text
from kelly.runtime.errors import KellyError
from kelly.runtime.system_errors import raise_system_error
from kelly.runtime.text import printable_values

METADATA_KEYS = ("model", "source", "settings", "num_sequences", "num_frames", "num_pieces", "facts", "sha256")


@dataclass(frozen=True)
class Sequences:
    """Sequences of one network's inputs and targets; every array has num_sequences rows.

    inputs: float32[num_sequences, num_frames, in]
    targets: float32[num_sequences, num_frames, out], or int64[num_sequences, num_frames] where a class is predicted
    groups: str[num_sequences], the piece that a sequence comes from; a piece is never split
    mask: bool, shape of targets, False where a target is missing (not played, past the end); None: none is missing
    predefined_split: str[num_sequences], the published split: 'train', 'validation' or 'test'; None: the set has none
    oracle: float32[num_sequences, num_frames, out], the best possible prediction, where the process is known; or None
    previous: float32[num_sequences, num_frames, out], the most recent observed value of each output, nan where there is
        none yet, for the persistence baseline; or None
    category: str[num_sequences], mode or style of the piece, for the category-mean baseline; or None
    augmented: bool[num_sequences], true for variations of a sequence, which are used for training alone; or None
    """

    inputs: NDArray[np.float32]
    targets: NDArray[np.float32] | NDArray[np.int64]
    groups: NDArray[np.str_]
    mask: NDArray[np.bool_] | None = None
    predefined_split: NDArray[np.str_] | None = None
    oracle: NDArray[np.float32] | None = None
    previous: NDArray[np.float32] | None = None
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
            if path.exists() or f.name in ("inputs", "targets", "groups"):
                arrays[f.name] = load_array(path, "generate", mmap_mode="r")
        return cls(**arrays)


def load_array(path: Path, stage: str, mmap_mode: Literal["r"] | None = None) -> Any:
    """Read an array. stage: the DVC stage that writes it. Raises KellyError where it is missing or is not an array."""
    try:
        return np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except FileNotFoundError:
        raise KellyError(f"{path} is missing; run dvc repro {stage}") from None
    except (ValueError, OSError, EOFError) as error:
        raise_system_error(error, path)
        raise KellyError(f"{path}: delete it and run dvc repro {stage}; not a readable .npy array ({error})") from None


@dataclass(frozen=True)
class Dataset:
    """What a source yields: the sequences, one long stream where it has one, and facts for people to read.

    stream: one row of at least 2,000 frames in which an LSTM's state is never reset; None: the test pieces, one after
        another, serve instead
    facts: JSON values: counts, units; for a source of files also `files`, their number, and `skipped`, a list of those
        that could not be used with the reason for each
    """

    sequences: Sequences
    stream: Sequences | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the arrays to `folder`, the stream's to `<folder>/stream/`; return the facts."""
        self.sequences.save(folder)
        if self.stream is not None:
            self.stream.save(folder / "stream")
        return self.facts

    @classmethod
    def load(cls, folder: Path) -> "Dataset":
        """Memory-map what `kelly.sources.generate` wrote. Raises KellyError where an array is missing or broken."""
        stream = Sequences.load(folder / "stream") if (folder / "stream").exists() else None
        return cls(Sequences.load(folder), stream, read_metadata(folder)["facts"])


def hash_arrays(folder: Path) -> str:
    """The SHA-256 of all arrays of a data set, as in its dataset.json."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.npy")):
        total.update(path.relative_to(folder).as_posix().encode())
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def write_metadata(folder: Path, origin: dict[str, Any], facts: dict[str, Any]) -> None:
    """Write `<folder>/dataset.json`. origin: model, source and settings; counts and hash are those of the arrays."""
    sequences = Sequences.load(folder)
    counts = {
        "num_sequences": len(sequences),
        "num_frames": sequences.inputs.shape[1],
        "num_pieces": len(np.unique(sequences.groups)),
    }
    content = {**origin, **counts, "facts": printable_values(facts), "sha256": hash_arrays(folder)}
    write_text(folder / "dataset.json", orjson.dumps(content, option=orjson.OPT_INDENT_2).decode() + "\n")


def read_metadata(folder: Path) -> dict[str, Any]:
    """The content of `<folder>/dataset.json`, with METADATA_KEYS. Raises KellyError where it is missing or broken."""
    path = folder / "dataset.json"
    try:
        content: dict[str, Any] = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise KellyError(f"{path} is missing; prepare the data first: dvc repro generate@{folder.name}") from None
    except orjson.JSONDecodeError as error:
        raise KellyError(f"{path} is not JSON ({error}); delete {folder} and prepare the data again") from None
    missing = [key for key in METADATA_KEYS if not isinstance(content, dict) or key not in content]
    if missing:
        raise KellyError(f"{path} lacks {', '.join(missing)}; delete {folder} and prepare the data again")
    return content
