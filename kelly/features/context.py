"""What was heard before a passage: the decayed mean of earlier measurements, never the passage itself."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

DECAY = 0.8  # weight that a bar keeps when the next one has been heard


def heard_before(measured: ArrayLike, decay: float | NDArray[np.float64] = DECAY) -> NDArray[np.float64]:
    """Mean of what earlier steps measured, each weighted by `decay` to the power of its age; 0 (neutral) at the start.

    measured: float[num_steps, n], in order of time, NaN where a step does not tell (it then does not count); decay: one
    for all, or float64[n].
    Returns float64[num_steps, n]: row t knows rows 0 … t−1 only.
    """
    m = np.asarray(measured, dtype=np.float64)
    heard = np.zeros_like(m)
    total = np.zeros(m.shape[1:])
    weight = np.zeros(m.shape[1:])
    for t in range(len(m)):
        np.divide(total, weight, out=heard[t], where=weight > 0)
        known = np.isfinite(m[t])
        total = decay * total + np.where(known, m[t], 0.0)
        weight = decay * weight + known
    return heard
