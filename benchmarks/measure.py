"""Side by side in one run: ways of doing the same thing take turns, so that a busy moment meets all of them alike."""

import time
from collections.abc import Callable, Hashable, Mapping
from statistics import median
from typing import Any, TypeVar

import torch
from tqdm import tqdm

Way = Callable[[], float]  # does the thing once and returns how long it took, in seconds
Name = TypeVar("Name", bound=Hashable)


def timed(work: Callable[[], object], threads: int = 1) -> float:
    """Seconds that `work` takes, with so many threads of PyTorch."""
    torch.set_num_threads(threads)
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turns(ways: Mapping[Name, Way], rounds: int, what: str) -> dict[Name, list[float]]:
    """The seconds of each way in each round, after one round that does not count."""
    seconds: dict[Name, list[float]] = {name: [] for name in ways}
    for number in tqdm(range(rounds + 1), desc=what, unit="round", disable=None):
        for name, way in ways.items():
            taken = way()
            if number:
                seconds[name].append(taken)
    return seconds


def ratio(slower: list[float], faster: list[float]) -> dict[str, float]:
    """How many times longer one took than the other in each round: median, lowest and highest."""
    ratios = [a / b for a, b in zip(slower, faster, strict=True)]
    return {"ratio": median(ratios), "low": min(ratios), "high": max(ratios)}


def spread(values: list[float], factor: float = 1.0) -> dict[str, float]:
    """Median, lowest and highest."""
    return {"median": factor * median(values), "low": factor * min(values), "high": factor * max(values)}


def rounded(value: Any, digits: int = 4) -> Any:
    """A JSON value with all its numbers to so many significant digits."""
    if isinstance(value, dict):
        return {key: rounded(part, digits) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part, digits) for part in value]
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value
