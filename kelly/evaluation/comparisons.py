"""What the scores of a network say, in words: one paragraph, made from its metrics."""

import math
from collections.abc import Mapping
from typing import Literal

from kelly.evaluation.baselines import TASK_BASELINES
from kelly.tasks import Task

Scores = Mapping[str, float]
Verdict = Literal["better", "worse", "even", "not known"]

OUTCOMES: Mapping[Verdict, str] = {
    "better": ": the network is better",
    "worse": ": the network is **worse**",
    "even": ": the two cannot be told apart",
    "not known": "",
}
BESIDE_PERSISTENCE: Mapping[Verdict, str] = {
    **OUTCOMES,
    "worse": ": the network is **no better than persistence**, it is worse",
    "even": ": the network is **no better than persistence**, the two cannot be told apart",
}


def paragraph(task: Task, source: str, scores: Scores) -> str:
    """How a network stands beside its references, and what it scores with the inputs of other pieces; Markdown.

    Raises KeyError where the metrics lack a score.
    """
    number = scores["num_test_pieces"]
    extent = f"{number:,} test piece{'' if number == 1 else 's'}"
    if "skill_low" in scores:
        extent = f"95 % interval {fixed(scores['skill_low'])} to {fixed(scores['skill_high'])}, {extent}"
    else:
        extent += ", too few for an interval"
    sentences = [f"**{task.title}**, {source}: skill {fixed(scores['skill'])} ({extent})."]
    sentences += [beside(scores, name, phrase) for name, phrase in references(task, scores).items()]
    if "shuffled_loss" in scores:
        sentences.append(with_other_inputs(scores))
    return " ".join(sentences) + "\n"


def references(task: Task, scores: Scores) -> dict[str, str]:
    """What people call the references of a network, by name; of the n-grams, the task's own, only the best."""
    phrases = {
        "persistence": "Persistence, which lets what was heard last go on,",
        "ridge": "Ridge regression",
        "category": "A table by mode or style",
    }
    if ngrams := [name for name in TASK_BASELINES.get(task.name, ()) if f"{name}_loss" in scores]:
        best = min(ngrams, key=lambda name: scores[f"{name}_loss"])
        phrases[best] = f"The best n-gram ({best.replace('_', ' ')})"
    return {name: phrase for name, phrase in phrases.items() if f"{name}_loss" in scores}


def beside(scores: Scores, name: str, phrase: str) -> str:
    """A sentence on a network beside one reference."""
    outcome = (BESIDE_PERSISTENCE if name == "persistence" else OUTCOMES)[verdict(scores, name)]
    return f"{phrase} reaches {fixed(scores[f'{name}_skill'])}{outcome} ({difference(scores, name)})."


def with_other_inputs(scores: Scores) -> str:
    """A sentence on how much of the score comes from the inputs."""
    left = scores["shuffled_skill"]
    found = verdict(scores, "shuffled")
    outcome = {"not known": "", "better": ": its score comes from its inputs"}.get(
        found, ": **its score does not come from its inputs**"
    )
    if found == "better" and left > 0:
        outcome = ": only what it has above that comes from its inputs"
    return f"With the inputs of another piece it reaches {fixed(left)}{outcome} ({difference(scores, 'shuffled')})."


def verdict(scores: Scores, name: str) -> Verdict:
    """Whether a network is better than a reference: only where the whole interval of the gap is above 0."""
    if f"{name}_gap_low" not in scores:
        return "not known"
    if scores[f"{name}_gap_low"] > 0:
        return "better"
    return "worse" if scores[f"{name}_gap_high"] < 0 else "even"


def difference(scores: Scores, name: str) -> str:
    """How much less a network loses than a reference, with the interval where there is one."""
    gap = f"difference {significant(scores[f'{name}_gap'])}"
    if f"{name}_gap_low" not in scores:
        return gap
    return f"{gap}, {significant(scores[f'{name}_gap_low'])} to {significant(scores[f'{name}_gap_high'])}"


def fixed(value: float) -> str:
    """A skill with three decimals."""
    return f"{value:.3f}".replace("-", "−")


def significant(value: float) -> str:
    """A difference of losses, which may be of any size, with three digits that count."""
    decimals = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:.{max(0, decimals)}f}".replace("-", "−")
