"""Scores of a network compared with those of its baselines, in words."""

import math
from collections.abc import Callable, Mapping
from typing import Literal

from kelly.evaluation.baselines import TASK_BASELINES
from kelly.tasks import Task

Scores = Mapping[str, float]
Comparison = Literal["better", "worse", "no difference", "unknown"]

OUTCOMES: Mapping[Comparison, str] = {
    "better": ", so the network is better",
    "worse": ", so the network is **worse**",
    "no difference": ", no significant difference",
    "unknown": "",
}


def paragraph(task: Task, source: str, scores: Scores) -> str:
    """A network's skill, its comparison with each baseline, and its shuffled-input control; Markdown.

    Raises KeyError if a score is missing.
    """
    count = scores["num_test_pieces"]
    pieces = f"{count:,} test piece{'' if count == 1 else 's'}"
    if "skill_low" in scores:
        extent = f"95 % interval {fixed(scores['skill_low'])} to {fixed(scores['skill_high'])}, {pieces}"
    else:
        extent = f"{pieces}, too few for an interval"
    sentences = [f"**{task.title}** ({source}): skill {fixed(scores['skill'])} ({extent})."]
    for name, title in baseline_titles(task, scores).items():
        outcome = compare_with(scores, name)
        text = OUTCOMES[outcome]
        if name == "persistence" and outcome in ("worse", "no difference"):
            text += ": it is **no better than persistence**"
        sentences.append(f"{title}: skill {fixed(scores[f'{name}_skill'])}{text} ({loss_gap(scores, name)}).")
    if "shuffled_loss" in scores:
        sentences.append(shuffled_control(scores))
    return " ".join(sentences) + "\n"


def baseline_titles(task: Task, scores: Scores) -> dict[str, str]:
    """The titles of a network's baselines by name; of the task's n-grams only the best."""
    titles = {"persistence": "Persistence", "ridge": "Ridge regression", "category_mean": "Category mean"}
    if ngrams := [name for name in TASK_BASELINES.get(task.name, ()) if f"{name}_loss" in scores]:
        best = min(ngrams, key=lambda name: scores[f"{name}_loss"])
        titles[best] = f"Best n-gram ({best.replace('_', ' ')})"
    return {name: title for name, title in titles.items() if f"{name}_loss" in scores}


def strongest_baseline(task: Task, scores: Scores) -> str:
    """The name of the baseline, besides the constant, with the smallest loss."""
    return min(baseline_titles(task, scores), key=lambda name: scores[f"{name}_loss"])


def shuffled_control(scores: Scores) -> str:
    """A sentence on how far the score depends on the inputs."""
    outcome, rest = compare_with(scores, "shuffled"), scores["shuffled_skill"]
    if outcome == "unknown":
        text = ""
    elif outcome != "better":
        text = ", so **the score does not depend on the inputs**"
    else:
        text = f", so {'the score' if rest <= 0 else 'only the skill above it'} depends on the inputs"
    return f"Shuffled-input control: skill {fixed(rest)}{text} ({loss_gap(scores, 'shuffled')})."


def compare_with(scores: Scores, name: str) -> Comparison:
    """Compare a network with a baseline: better or worse only if 0 lies outside the interval of the gap."""
    if f"{name}_gap_low" not in scores:
        return "unknown"
    if scores[f"{name}_gap_low"] > 0:
        return "better"
    return "worse" if scores[f"{name}_gap_high"] < 0 else "no difference"


def loss_gap(scores: Scores, name: str) -> str:
    """A baseline's loss minus the network's, with its interval if there is one."""
    gap = f"loss gap {significant(scores[f'{name}_gap'])}"
    if f"{name}_gap_low" not in scores:
        return gap
    return f"{gap}, {significant(scores[f'{name}_gap_low'])} to {significant(scores[f'{name}_gap_high'])}"


def fixed(value: float) -> str:
    """A skill with three decimals."""
    return f"{value:.3f}".replace("-", "−")


def significant(value: float) -> str:
    """A number of any size with three significant digits."""
    decimals = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:.{max(0, decimals)}f}".replace("-", "−")


def with_interval(scores: Scores, name: str, text: Callable[[float], str]) -> str:
    """A score with its interval in brackets if it has one. text: formats a number"""
    if f"{name}_low" not in scores:
        return text(scores[name])
    return f"{text(scores[name])} ({text(scores[f'{name}_low'])} to {text(scores[f'{name}_high'])})"
