"""Sequences from arrays, each a piece of its own."""

from typing import Any

import numpy as np

from kelly.data.dataset import Sequences


def sequences(targets: Any, inputs: Any = None, **fields: Any) -> Sequences:
    """Sequences with these targets; inputs: zeros if None; fields: of Sequences."""
    targets = np.asarray(targets)
    if inputs is None:
        inputs = np.zeros((*targets.shape[:2], 4), dtype=np.float32)
    return Sequences(inputs, targets, np.array([str(i) for i in range(len(targets))]), **fields)
