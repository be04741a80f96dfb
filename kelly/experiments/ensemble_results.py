"""`kelly ensemble`: one network, several process_group, and the two ways back to one, side by side on the test side."""

from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from scipy.special import stdtrit

from kelly.config.params import TaskConfig
from kelly.data.loading import DATA, load_splits
from kelly.evaluation.bootstrap import intervals
from kelly.evaluation.comparisons import fixed, significant
from kelly.evaluation.evaluate import Network, as_scores, costs
from kelly.evaluation.metrics import Predicted, Scores, cost
from kelly.experiments.check_data import check_prepared
from kelly.experiments.crossval import all_folds
from kelly.experiments.ensemble import By, Ensemble, distil, save_average, together
from kelly.experiments.parallel import jobs
from kelly.export.export_model import release
from kelly.plots.labels import LOSS_NAMES
from kelly.runtime.atomic import write_text
from kelly.runtime.errors import KellyError
from kelly.runtime.locks import lock_models

OUTCOMES = {
    "better": "it helps: less loss than the single network, by more than another seed may give",
    "alone": "it helps: less loss than the single network; whether another seed gives as much was not measured",
    "lucky": "**not certain** to help: less loss than the single network, but within what another seed may give",
    "worse": "it does **not** help: more loss than the single network",
    "even": "it does **not** help: it cannot be told apart from the single network",
}


def ensemble(settings: TaskConfig, num_members: int, by: By, output: Path, num_jobs: int | None = None) -> None:
    """Train the members, average, distil, export and score; print a table and write it to {output}/{model}/.

    The exports are {output}/{model}/average/{model}.json and .../distilled/{model}.json.
    """
    if num_members < 2:
        raise KellyError(f"--members {num_members}: expected 2 or more")
    task, folder = settings.task, output / settings.task.name
    group = Ensemble(settings, folder, num_members, by)
    at_a_time = jobs(num_jobs, settings.training.num_threads)
    check_prepared(settings)
    if by == "folds":
        all_folds(settings, num_members)  # whether there are as many, before anything is made
    parts = load_splits(settings, DATA)
    with lock_models(folder, task.name):
        print(f"{task.title}: training {group.describe()}", flush=True)
        group.train(at_a_time)
        epochs = save_average(group, parts["validation"], folder / "average")
        print(f"{task.title}: training one network on what they say together", flush=True)
        distil(group, folder / "distilled")
        members = group.functions()
        networks: dict[str, Network] = {
            "single": release(task, group.single, parts).run,
            "ensemble": together(members),
            "average": release(task, folder / "average", parts).run,
            "distilled": release(task, folder / "distilled", parts).run,
        }
        scores = compared(settings, networks, parts)
        validation = parts["validation"]
        for name, network in networks.items():
            predicted = Predicted(validation, network(validation.inputs))
            scores[name]["validation_loss"] = cost(task.loss, predicted).mean
        losses = [cost(task.loss, Predicted(parts["test"], member(parts["test"].inputs))).mean for member in members]
        text = report(settings, group, scores, losses, epochs)
        content = {"members": losses, "average_of_epochs": epochs, **scores}
        write_text(folder / "scores.json", orjson.dumps(content, option=orjson.OPT_INDENT_2).decode() + "\n")
        write_text(folder / "report.md", text)
    print(text)
    print(f"Exports: {folder / 'average' / task.name}.json, {folder / 'distilled' / task.name}.json")


def compared(settings: TaskConfig, networks: dict[str, Network], parts: Any) -> dict[str, Scores]:
    """Loss and skill of each network on the test side, with its interval and that of its gain over the first.

    `gain`: the single network's loss less its own, from a bootstrap that draws the test pieces of both at once.
    """
    task, test = settings.task, parts["test"]
    pieces: NDArray[np.intp] = np.unique(test.groups, return_inverse=True)[1]
    found = {name: costs(task, Predicted(test, network(test.inputs)), parts) for name, network in networks.items()}
    single = found["single"][0]
    scores = {}
    for name, (own, baseline, floor) in found.items():
        scores[name] = as_scores(own, baseline, floor) | {"gain": single.mean - own.mean}
        ends = intervals(own, baseline, floor, {"single": single}, pieces)
        scores[name] |= {key.replace("single_gap", "gain"): value for key, value in ends.items()}
    return scores


def report(
    settings: TaskConfig, group: Ensemble, scores: dict[str, Scores], losses: list[float], epochs: list[int]
) -> str:
    """A table in Markdown, and what it says in words."""
    task = settings.task
    lines = [
        f"# {task.title}: {group.describe()}",
        f"Loss: {LOSS_NAMES[task.loss]}. Gain: the single network's test loss less this one's. In brackets: 95 %, from "
        "drawing the test pieces anew.\n",
        "| Network | Files | Validation loss | Test loss | Skill | Gain |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    names = {
        "single": "single",
        "ensemble": f"ensemble of {len(losses)}",
        "average": f"average of the epochs {', '.join(map(str, epochs))}",
        "distilled": "distilled",
    }
    for name, one in scores.items():
        files = len(losses) if name == "ensemble" else 1
        # Members by folds have learned from all pieces of the validation side.
        validation = "–" if (name, group.by) == ("ensemble", "folds") else f"{one['validation_loss']:.6f}"
        gain = "–" if name == "single" else f"{significant(one['gain'])}{between(one, 'gain', significant)}"
        lines.append(
            f"| {names[name]} | {files} | {validation} | {one['loss']:.6f} "
            f"| {fixed(one['skill'])}{between(one, 'skill', fixed)} | {gain} |"
        )
    spread = float(np.std(losses, ddof=1))
    lines.append(
        f"\nThe members alone: test loss {np.mean(losses):.6f} in the mean, {min(losses):.6f} to {max(losses):.6f}, "
        f"standard deviation {spread:.2g}.\n"
    )
    typical = least_by_luck(losses) if group.by == "seeds" else None  # by folds they learned from less
    lines += [f"**{name.title()}**: {OUTCOMES[outcome(scores[name], typical)]}." for name in ("average", "distilled")]
    return "\n".join(lines) + "\n"


def least_by_luck(losses: list[float]) -> float:
    """The lower end of the 95 % prediction interval for one more seed, from the losses of some, after Student."""
    n = len(losses)
    return float(np.mean(losses) - stdtrit(n - 1, 0.975) * np.std(losses, ddof=1) * np.sqrt(1 + 1 / n))


def outcome(one: Scores, typical: float | None) -> str:
    """Whether a network is better than the single one: where the whole interval of its gain is above 0.

    typical: the loss that a network which is better must stay below, or it may owe it to the luck of a seed; None:
        not known
    """
    if "gain_low" not in one or one["gain_low"] <= 0 <= one["gain_high"]:
        return "even"
    if one["gain_high"] < 0:
        return "worse"
    if typical is None:
        return "alone"
    return "better" if one["loss"] < typical else "lucky"


def between(one: Scores, name: str, written: Any) -> str:
    """The interval of a score in brackets, '' where there is none."""
    return f" ({written(one[f'{name}_low'])} to {written(one[f'{name}_high'])})" if f"{name}_low" in one else ""
