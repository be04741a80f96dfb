"""Scores as files: one JSON of numbers a network for DVC to compare, and one report of all for people to read."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from kelly.atomic import write_text
from kelly.errors import KellyError
from kelly.scoring import Scores
from kelly.tasks import TASKS, Task
from kelly.verdicts import paragraph

MAX_SKIPPED = 10  # files named for one network; the rest stand in its dataset.json
CURVES = ("train_loss", "val_loss", "train_metric", "val_metric")  # of a history, beside its epochs
LOSS_UNITS = {"mse": "MSE", "bce": "BCE", "cross_entropy": "CE, nats"}

LEGEND = """
Scores are those of the exported files on test pieces that nothing was chosen on. Baseline: the best constant. Ridge:
linear regression on the same inputs. Floor: the smallest loss that any predictor can reach, known where the data was
drawn from a stated law. Skill: (baseline − loss) / (baseline − floor); where the floor is not known it counts as 0, so
that skill is the relative gain over the baseline and cannot reach 1; in brackets, for networks with a memory, over one
long stream in which they are never reset, as in the plugin. Parity: the largest difference between the trained network
and its export. Samples: sequences for training + validation + test.

Persistence: each output from the value last heard of it, where the data tells one. Table: the mean of the pieces of the
same mode or style. N-gram: the next chord from the one or two before. What they reach is their skill. Difference: their
loss less the network's, above 0 where the network is better. Intervals: 95 %, from drawing the test pieces anew
(bootstrap); they say what other pieces of the same kind could have given, not another training. Better or worse is said
only where the whole interval of the difference lies on one side of 0. With the inputs of another piece: the network
hears one piece and is scored on another.
"""


def read_history(path: Path) -> dict[str, list[Any]]:
    """The columns of the history at `path`, nan where it diverged. Raises KellyError where it is not a history."""
    try:
        columns: dict[str, list[Any]] = orjson.loads(path.read_bytes())
        # JSON has no number for what diverged: there is null.
        columns |= {name: [math.nan if value is None else value for value in columns[name]] for name in CURVES}
        if {len(columns[name]) for name in CURVES} != {len(columns["epoch"])} or not columns["epoch"]:
            raise ValueError("expected as many values in each column")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KellyError(f"{path} is not a history ({error!r}); train the network again") from None
    return columns


def best_row(history: Mapping[str, Sequence[float]]) -> int:
    """The row of a history with the lowest validation loss; the first where all diverged."""
    losses = history["val_loss"]
    return min(range(len(losses)), key=lambda row: (math.isnan(losses[row]), losses[row]))


def write_metrics(folder: Path, task: Task, scores: Scores, metadata: Mapping[str, Any], epochs: int) -> None:
    """Write `{folder}/{model}.json`: the scores and the facts of the run, numbers only, under the model's name.

    metadata: the export's own. Raises KellyError where it does not tell the facts.
    """
    try:
        facts = {
            "num_train": metadata["data"]["num_train"],
            "num_validation": metadata["data"]["num_validation"],
            "num_test": metadata["data"]["num_test"],
            "epochs": epochs,
            "best_epoch": metadata["checkpoint"]["epoch"],
            "num_parameters": metadata["num_parameters"],
            "parity_error": metadata["parity_error"],
        }
    except (KeyError, TypeError) as error:
        raise KellyError(f"{task.name}.json: its metadata lacks {error}; export it again: dvc repro export") from None
    text = orjson.dumps({task.name: scores | facts}, option=orjson.OPT_INDENT_2).decode()
    write_text(folder / f"{task.name}.json", text + "\n")


def write_report(folder: Path, data: Mapping[str, Mapping[str, Any]]) -> None:
    """Write `{folder}/report.md` from the metrics beside it: a table, what it says in words, and the files left out.

    data: of each network, the content of its dataset.json. Raises KellyError where a network's metrics are missing.
    """
    table, words = [], ""
    for name, task in TASKS.items():
        path = folder / f"{name}.json"
        try:
            scores = orjson.loads(path.read_bytes())[name]
            table.append(row(task, data[name]["source"], scores))
            words += "\n" + paragraph(task, data[name]["source"], scores)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise KellyError(
                f"{path} holds no scores ({error!r}); score the network first: dvc repro evaluate@{name}"
            ) from None
    write_text(folder / "report.md", markdown(table) + words + LEGEND + skipped_files(data))


def skipped_files(data: Mapping[str, Mapping[str, Any]]) -> str:
    """Which files a source could not use, and why, a paragraph a network that has some; '' where none has."""
    text = ""
    for name, about in data.items():
        if skipped := about["facts"].get("skipped"):
            shown = "".join(f"- `{one_line(s['file'])}`: {one_line(s['reason'])}\n" for s in skipped[:MAX_SKIPPED])
            more = f"- and {len(skipped) - MAX_SKIPPED} more\n" if len(skipped) > MAX_SKIPPED else ""
            text += f"\n{TASKS[name].title}: {len(skipped)} of {about['facts']['files']:,} files were skipped "
            text += f"(all in `data/datasets/{name}/dataset.json`):\n\n{shown}{more}"
    return text


def one_line(text: str) -> str:
    """A name or a reason as Markdown shows it on one line."""
    return " ".join(text.replace("`", "'").split())


def row(task: Task, source: str, scores: Mapping[str, float]) -> dict[str, str]:
    """One line of the table."""
    return {
        "Network": task.title,
        "Data": source,
        "Samples": f"{scores['num_train']:,} + {scores['num_validation']:,} + {scores['num_test']:,}",
        "Epochs": str(scores["epochs"]),
        "Best": str(scores["best_epoch"]),
        "Loss": f"{scores['loss']:.4f} {LOSS_UNITS[task.loss]}",
        "Baseline": f"{scores['baseline_loss']:.4f}",
        "Ridge": f"{scores['ridge_loss']:.4f}",
        "Floor": f"{scores['floor_loss']:.4f}" if "floor_loss" in scores else "not known",
        "Skill": f"{scores['skill']:.3f}" + (f" ({scores['stateful_skill']:.3f})" if task.is_recurrent else ""),
        "Headline": f"{task.headline.replace('_', ' ').replace('r2', 'R²')} {scores[task.headline]:.3f}",
        "Parity": f"{scores['parity_error']:.1e}",
        "Parameters": f"{scores['num_parameters']:,}",
    }


def markdown(table: list[dict[str, str]]) -> str:
    """A Markdown table of rows with the same keys."""
    lines = [list(table[0]), ["---"] * len(table[0]), *(list(line.values()) for line in table)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
