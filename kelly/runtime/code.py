"""Hashes of the code that a process runs, taken when it starts: an edit of a file does not change a running process."""

import hashlib
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def hash_code(*names: str) -> str:
    """SHA-256 of modules of the package, files or folders: their names and bytes."""
    digest = hashlib.sha256()
    for name in names:
        path = PACKAGE / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.relative_to(PACKAGE).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


# Of the modules that determine what a training run computes.
TRAINING_CODE = hash_code("training", "networks.py", "tasks/layers.py")[:16]
