"""Compare alternatives within one run: they take turns, so that a busy moment affects all of them."""

import time
from collections.abc import Callable, Hashable, Mapping
from statistics import median
from typing import Any, TypeVar

import torch
from tqdm import tqdm

Candidate = Callable[[], float]  # does the work once and returns its seconds
Name = TypeVar("Name", bound=Hashable)


def timed(work: Callable[[], object], threads: int = 1) -> float:
    """Seconds of `work` with this number of PyTorch threads."""
    torch.set_num_threads(threads)
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def alternate(candidates: Mapping[Name, Candidate], rounds: int, description: str) -> dict[Name, list[float]]:
    """Seconds of each candidate in each round, after one warm-up round."""
    seconds: dict[Name, list[float]] = {name: [] for name in candidates}
    for number in tqdm(range(rounds + 1), desc=description, unit="round", disable=None):
        for name, candidate in candidates.items():
            elapsed = candidate()
            if number:
                seconds[name].append(elapsed)
    return seconds


def ratio(slower: list[float], faster: list[float]) -> dict[str, float]:
    """Median, lowest and highest of the ratios of each round."""
    ratios = [a / b for a, b in zip(slower, faster, strict=True)]
    return {"ratio": median(ratios), "low": min(ratios), "high": max(ratios)}


def spread(values: list[float], factor: float = 1.0) -> dict[str, float]:
    """Median, lowest and highest, multiplied by `factor`."""
    return {"median": factor * median(values), "low": factor * min(values), "high": factor * max(values)}


def rounded(value: Any, digits: int = 4) -> Any:
    """Round all floats of a JSON value to this number of significant digits."""
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item, digits) for item in value]
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value
