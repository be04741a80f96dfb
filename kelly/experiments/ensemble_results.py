"""`kelly ensemble`: score a single network, the ensemble, its average and its distillation on the test split."""

from pathlib import Path

import numpy as np
import orjson
from scipy.special import stdtrit

from kelly.config.params import TaskConfig
from kelly.data.dataset import Sequences
from kelly.data.loading import DATA, load_splits
from kelly.evaluation.bootstrap import intervals
from kelly.evaluation.comparisons import fixed, significant, with_interval
from kelly.evaluation.evaluate import Network, as_scores, compute_losses
from kelly.evaluation.metrics import Predictions, Scores
from kelly.experiments.check_data import check_up_to_date
from kelly.experiments.crossval import all_folds
from kelly.experiments.ensemble import By, Ensemble, distil, loss_of, mean_outputs, save_average
from kelly.experiments.parallel import num_parallel
from kelly.export.export_model import export_model
from kelly.plots.labels import LOSS_NAMES
from kelly.report.table import markdown_table
from kelly.runtime.atomic import write_text
from kelly.runtime.errors import KellyError
from kelly.runtime.locks import lock_models

OUTCOMES = {
    "better": "better than the single network, by more than the variation between seeds",
    "seeds unknown": "better than the single network; the variation between seeds was not measured",
    "within seeds": "**not certain** to be better: the gain is within the variation between seeds",
    "worse": "**worse** than the single network",
    "no difference": "**no significant difference** from the single network",
}


def ensemble(config: TaskConfig, num_members: int, by: By, output: Path, num_jobs: int | None = None) -> None:
    """Train, average, distil, export and score an ensemble; write and print {output}/{model}/report.md.

    The exports are {output}/{model}/{average,distilled}/{model}.json, the scores {output}/{model}/scores.json.
    """
    if num_members < 2:
        raise KellyError(f"--members {num_members}: expected 2 or more")
    task, folder = config.task, output / config.task.name
    group = Ensemble(config, folder, num_members, by)
    num_jobs = num_parallel(num_jobs, config.training.num_threads)
    check_up_to_date(config)
    if by == "folds":
        all_folds(config, num_members)  # raises before anything is trained
    data = load_splits(config, DATA)
    validation, test = data["validation"], data["test"]
    with lock_models(folder, task.name):
        print(f"{task.title}: training {group.describe()}", flush=True)
        group.train(num_jobs)
        epochs = save_average(group, validation, folder / "average")
        print(f"{task.title}: distilling them into one network", flush=True)
        distil(group, folder / "distilled")
        members = group.functions()
        networks: dict[str, Network] = {
            "single": export_model(task, group.single, data).run,
            "ensemble": mean_outputs(members),
            "average": export_model(task, folder / "average", data).run,
            "distilled": export_model(task, folder / "distilled", data).run,
        }
        scores = score_networks(config, networks, data)
        for name, network in networks.items():
            scores[name]["validation_loss"] = loss_of(task.loss, network, validation)
        losses = [loss_of(task.loss, member, test) for member in members]
        text = report(group, scores, losses, epochs)
        content = {"members": losses, "average_of_epochs": epochs, **scores}
        write_text(folder / "scores.json", orjson.dumps(content, option=orjson.OPT_INDENT_2).decode() + "\n")
        write_text(folder / "report.md", text)
    print(text)
    print(f"Exports: {folder / 'average' / task.name}.json, {folder / 'distilled' / task.name}.json")


def score_networks(config: TaskConfig, networks: dict[str, Network], data: dict[str, Sequences]) -> dict[str, Scores]:
    """Loss, skill and gain of each network on the test split, with intervals.

    `gain`: the single network's loss minus this one's, from a paired bootstrap over the test pieces
    """
    task, test = config.task, data["test"]
    pieces = np.unique(test.groups, return_inverse=True)[1]
    losses = {
        name: compute_losses(task, Predictions(test, network(test.inputs)), data) for name, network in networks.items()
    }
    single = losses["single"][0]
    scores = {}
    for name, (loss, baseline, floor) in losses.items():
        ends = intervals(loss, baseline, floor, {"single": single}, pieces)
        scores[name] = as_scores(loss, baseline, floor) | {"gain": single.mean - loss.mean}
        scores[name] |= {key.replace("single_gap", "gain"): value for key, value in ends.items()}
    return scores


def report(group: Ensemble, scores: dict[str, Scores], losses: list[float], epochs: list[int]) -> str:
    """A Markdown report: a table and the outcomes. losses: of the members on the test split."""
    task = group.config.task
    titles = {
        "ensemble": f"ensemble of {len(losses)}",
        "average": f"average of the epochs {', '.join(map(str, epochs))}",
    }
    rows = []
    for name, s in scores.items():
        # Members by folds were trained on all pieces of the validation split.
        is_biased = name == "ensemble" and group.by == "folds"
        rows.append({
            "Network": titles.get(name, name),
            "Files": str(len(losses) if name == "ensemble" else 1),
            "Validation loss": "–" if is_biased else f"{s['validation_loss']:.6f}",
            "Test loss": f"{s['loss']:.6f}",
            "Skill": with_interval(s, "skill", fixed),
            "Gain": "–" if name == "single" else with_interval(s, "gain", significant),
        })  # fmt: skip
    limit = seed_lower_bound(losses) if group.by == "seeds" else None  # by folds the members had less data
    outcomes = [f"**{name.title()}**: {OUTCOMES[outcome(scores[name], limit)]}." for name in ("average", "distilled")]
    return (
        f"# {task.title}: {group.describe()}\n"
        f"Loss: {LOSS_NAMES[task.loss]}. Gain: the single network's test loss minus this one's. In brackets: 95 % "
        f"bootstrap intervals over the test pieces.\n\n{markdown_table(rows)}\n"
        f"Test loss of the members: mean {np.mean(losses):.6f}, {min(losses):.6f} to {max(losses):.6f}, standard "
        f"deviation {np.std(losses, ddof=1):.2g}.\n\n" + "\n".join(outcomes) + "\n"
    )


def seed_lower_bound(losses: list[float]) -> float:
    """The lower end of Student's 95 % prediction interval for the loss of one more seed."""
    n = len(losses)
    return float(np.mean(losses) - stdtrit(n - 1, 0.975) * np.std(losses, ddof=1) * np.sqrt(1 + 1 / n))


def outcome(scores: Scores, limit: float | None) -> str:
    """A key of OUTCOMES: better only if the interval of the gain is above 0.

    limit: a loss that another seed alone is unlikely to fall below; None: unknown
    """
    if "gain_low" not in scores or scores["gain_low"] <= 0 <= scores["gain_high"]:
        return "no difference"
    if scores["gain_high"] < 0:
        return "worse"
    if limit is None:
        return "seeds unknown"
    return "better" if scores["loss"] < limit else "within seeds"
