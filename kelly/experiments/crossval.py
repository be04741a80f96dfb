"""`kelly crossval`: how a network's score varies with the pieces it is trained and scored on.

The test split is not used, so settings may be chosen by the result.
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
from kelly.experiments.check_data import check_up_to_date
from kelly.experiments.folds import fold_splits, make_folds
from kelly.experiments.parallel import num_parallel, run_parallel
from kelly.export.export_model import as_function, load_best
from kelly.runtime.atomic import write_text
from kelly.training.train_model import train_model

# Of the table: score → heading and format.
COLUMNS = {
    "num_train_pieces": ("train", "{:,.0f}"),
    "num_validation_pieces": ("validation", "{:,.0f}"),
    "num_test_pieces": ("held out", "{:,.0f}"),
    "best_epoch": ("best epoch", "{:.0f}"),
    "loss": ("loss", "{:.6f}"),
    "baseline_loss": ("baseline", "{:.6f}"),
    "skill": ("skill", "{:.3f}"),
}


@dataclass(frozen=True)
class Fold:
    """One fold of a network's data.

    number: 1..total; held_out: its rows; indices: the rows of the pipeline's splits
    """

    config: TaskConfig
    number: int
    total: int
    held_out: splits.Indices
    indices: dict[str, splits.Indices]

    def train(self, output: Path) -> dict[str, splits.Indices]:
        """Train without this fold, writing below `output`; returns the rows of its splits."""
        c = self.config
        folder = datasets_folder(DATA, c.task.name)
        dataset = Dataset.load(folder)
        indices = fold_splits(dataset, self.held_out, self.indices, c.splitting)
        # The rows are part of the fingerprint: with other folds it would be scored on what it was trained on.
        digest = hashlib.sha256(b"".join(indices[split].tobytes() for split in splits.SPLITS)).hexdigest()
        fold = {"fold": f"{self.number} of {self.total}, {digest[:12]}"}
        train_model(
            c.task, c.training, splits.view_splits(dataset, indices, c.splitting.shuffle_seed),
            data_fingerprint(folder, indices, c.splitting) | fold, output,
            resume="same", save_history=False,
        )  # fmt: skip
        return indices


def all_folds(config: TaskConfig, number: int) -> list[Fold]:
    """The folds of one network's data. Raises KellyError where it is not up to date, or has too few pieces."""
    check_up_to_date(config)
    name = config.task.name
    dataset = Dataset.load(datasets_folder(DATA, name))
    indices = splits.load_indices(splits_folder(DATA, name))
    folds = make_folds(config.task, dataset, indices, config.splitting, number)
    return [Fold(config, i, number, rows, indices) for i, rows in enumerate(folds, start=1)]


def crossval(configs: list[TaskConfig], number: int, output: Path, num_jobs: int | None = None) -> None:
    """Cross-validate networks with `number` folds; print a table of each and write {output}/{model}/folds.json.

    A fold already trained with the same settings, data and code is reused; an interrupted one is resumed.
    """
    folds = [fold for config in configs for fold in all_folds(config, number)]
    num_jobs = num_parallel(num_jobs, max(config.training.num_threads for config in configs))
    scores: dict[tuple[str, int], Scores] = {}
    for fold, result in run_parallel(score_fold, ((fold, output) for fold in folds), len(folds), num_jobs, "fold"):
        scores[fold.config.task.name, fold.number] = result
    for config in configs:
        name = config.task.name
        rows = [scores[name, i] for i in range(1, number + 1)]
        mean = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
        spread = {key: float(np.std([row[key] for row in rows], ddof=1)) for key in rows[0]}
        content = orjson.dumps({"folds": rows, "mean": mean, "spread": spread}, option=orjson.OPT_INDENT_2)
        write_text(output / name / "folds.json", content.decode() + "\n")
        source = read_metadata(datasets_folder(DATA, name))["source"]
        print(f"\n{config.task.title} ({source}): {number} folds of the pieces that are not test")
        print(table(rows, mean, spread), flush=True)


def score_fold(fold: Fold, output: Path) -> tuple[Fold, Scores]:
    """Train without one fold, part of the rest as validation, and score the best checkpoint on the fold."""
    task = fold.config.task
    folder = output / task.name / f"fold{fold.number}of{fold.total}"
    indices = fold.train(folder)
    network, checkpoint = load_best(task, folder / "checkpoints")
    data = load_with_indices(datasets_folder(DATA, task.name), indices, fold.config.splitting)
    counts = {f"num_{split}_pieces": len(np.unique(data[split].groups)) for split in splits.SPLITS}
    return fold, core_scores(task, as_function(network), data) | counts | {"best_epoch": checkpoint["epoch"]}


def table(rows: list[Scores], mean: Scores, spread: Scores) -> str:
    """A line per fold, then mean and standard deviation of the losses and the skill."""
    import pandas as pd

    folds = pd.DataFrame(rows, index=[f"fold {i}" for i in range(1, len(rows) + 1)])
    summary = pd.DataFrame([mean, spread], index=["mean", "standard deviation"])[["loss", "baseline_loss", "skill"]]
    frame = pd.concat([folds, summary])[list(COLUMNS)]
    headings, formats = zip(*COLUMNS.values(), strict=True)
    return frame.to_string(header=list(headings), formatters=[f.format for f in formats], na_rep="", col_space=10)
