"""`kelly crossval`: how a network's score depends on which pieces it learns from and is scored on.

The pieces that are not test are dealt into folds; a network is trained without each, stops by a validation side of its
own, and is scored on the fold that it never saw. The test side takes no part, so that settings may be chosen by this.
A fold that was trained with the same settings, data and code is taken as it is; one that was interrupted goes on.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson

from kelly.config.params import TaskConfig
from kelly.data import splits
from kelly.data.dataset import Dataset, read_metadata
from kelly.data.loading import DATA, data_fingerprint, datasets_folder, load_with_indices, splits_folder
from kelly.evaluation.evaluate import core_scores
from kelly.evaluation.metrics import Scores
from kelly.experiments.check_data import check_prepared
from kelly.experiments.folds import folds, sides
from kelly.experiments.parallel import each, jobs, stop_if_orphaned
from kelly.export.export_model import as_function, load_best
from kelly.runtime.atomic import write_text
from kelly.training.train_model import train_model

WIDTHS = {"train": 9, "validation": 12, "test": 10}  # of the columns that count pieces


@dataclass(frozen=True)
class Fold:
    """One fold of a network's data. number: from 1 to `total`; held_out: its rows; own: the pipeline's sides."""

    settings: TaskConfig
    number: int
    total: int
    held_out: splits.Indices
    own: dict[str, splits.Indices]

    @property
    def name(self) -> str:
        """For messages, and for what its network is told by."""
        return f"{self.number} of {self.total}"

    def train(self, output: Path) -> dict[str, splits.Indices]:
        """Train without this fold, below `output`; the rows of the sides that it was trained with."""
        s = self.settings
        folder = datasets_folder(DATA, s.task.name)
        dataset = Dataset.load(folder)
        rows = sides(dataset, self.held_out, self.own, s.splitting)
        # Its rows are part of what it is: dealt otherwise, it would be scored on what it learned from.
        digest = hashlib.sha256(b"".join(rows[side].tobytes() for side in splits.SPLITS)).hexdigest()
        data = data_fingerprint(folder, rows, s.splitting) | {"fold": f"{self.name}, {digest[:12]}"}
        train_model(
            s.task, s.training, splits.view_splits(dataset, rows, s.splitting.shuffle_seed), data, output,
            resume="same", save_history=False, after_epoch=stop_if_orphaned,
        )  # fmt: skip
        return rows


def all_folds(settings: TaskConfig, number: int) -> list[Fold]:
    """The folds of one network's prepared data. Raises KellyError where it is not prepared, or has too few pieces."""
    check_prepared(settings)
    name = settings.task.name
    dataset = Dataset.load(datasets_folder(DATA, name))
    own = splits.load_indices(splits_folder(DATA, name))
    dealt = folds(settings.task, dataset, own, settings.splitting, number)
    return [Fold(settings, i, number, rows, own) for i, rows in enumerate(dealt, start=1)]


def crossval(chosen: list[TaskConfig], number: int, output: Path, num_jobs: int | None = None) -> None:
    """Cross-validate networks with `number` folds; print a table of each, and write it to {output}/{model}/folds.json.

    The checkpoints of the folds stay below {output}/{model}/, so that the same command need not train again.
    """
    dealt = [fold for s in chosen for fold in all_folds(s, number)]
    at_a_time = jobs(num_jobs, max(s.training.num_threads for s in chosen))
    found: dict[tuple[str, int], Scores] = {}
    for fold, scores in each(scored, ((fold, output) for fold in dealt), len(dealt), at_a_time, "fold"):
        found[fold.settings.task.name, fold.number] = scores
    for s in chosen:
        rows = [found[s.task.name, i] for i in range(1, number + 1)]
        text = orjson.dumps({"folds": rows, "mean": mean(rows), "spread": spread(rows)}, option=orjson.OPT_INDENT_2)
        write_text(output / s.task.name / "folds.json", text.decode() + "\n")
        print("\n".join(table(s, rows)), flush=True)


def scored(fold: Fold, output: Path) -> tuple[Fold, Scores]:
    """Train without one fold, and score the best checkpoint on it."""
    task = fold.settings.task
    at = output / task.name / f"fold{fold.number}of{fold.total}"
    rows = fold.train(at)
    network, checkpoint = load_best(task, at / "checkpoints")
    parts = load_with_indices(datasets_folder(DATA, task.name), rows, fold.settings.splitting)
    pieces = {side: len(np.unique(parts[side].groups)) for side in splits.SPLITS}
    facts = {f"num_{side}_pieces": count for side, count in pieces.items()} | {"best_epoch": checkpoint["epoch"]}
    return fold, core_scores(task, as_function(network), parts) | facts


def mean(rows: list[Scores]) -> Scores:
    """Of each score over the folds."""
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def spread(rows: list[Scores]) -> Scores:
    """The standard deviation of each score over the folds, as of a sample."""
    return {name: float(np.std([row[name] for row in rows], ddof=1)) for name in rows[0]}


def table(settings: TaskConfig, rows: list[Scores]) -> list[str]:
    """A line a fold, and the mean with its spread."""
    task, whole = settings.task, mean(rows)
    about = read_metadata(datasets_folder(DATA, task.name))
    lines = [
        f"\n{task.title}, {about['source']}: {len(rows)} folds of the pieces that are not test",
        "fold    train  validation  held out   best epoch        loss    baseline   skill",
    ]
    for i, row in enumerate(rows, start=1):
        counts = "".join(f"{row[f'num_{side}_pieces']:>{width},}" for side, width in WIDTHS.items())
        lines.append(f"{i:>4}{counts}{row['best_epoch']:>13}{numbers(row)}")
    lines.append(f"{'mean':<48}{numbers(whole)}")
    lines.append(f"{'standard deviation':<48}{numbers(spread(rows))}")
    return lines


def numbers(row: Scores) -> str:
    """The scores of a line of the table."""
    return f"{row['loss']:>12.6f}{row['baseline_loss']:>12.6f}{row['skill']:>8.3f}"
