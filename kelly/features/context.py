"""Decayed mean of earlier measurements: the context before a bar, which never includes the bar itself."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

DECAY = 0.8  # factor by which the weight of a bar shrinks with each later bar


def decayed_mean(measured: ArrayLike, decay: float | NDArray[np.float64] = DECAY) -> NDArray[np.float64]:
    """Mean of the earlier steps, each weighted by `decay ** age`; 0 (neutral) where no earlier step has a value.

    measured: float[num_steps, n], in order of time; NaN values have no weight. decay: a scalar, or float64[n].
    Returns float64[num_steps, n]: row t depends on rows 0 … t−1 only.
    """
    m = np.asarray(measured, dtype=np.float64)
    means = np.zeros_like(m)
    total = np.zeros(m.shape[1:])
    weight = np.zeros(m.shape[1:])
    for t in range(len(m)):
        np.divide(total, weight, out=means[t], where=weight > 0)
        is_known = np.isfinite(m[t])
        total = decay * total + np.where(is_known, m[t], 0.0)
        weight = decay * weight + is_known
    return means
