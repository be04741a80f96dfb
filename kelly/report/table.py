"""One report of all networks for people to read, from the scores of each: a table and what it says in words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from kelly.evaluation.comparisons import paragraph
from kelly.runtime.atomic import write_text
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS, Task

MAX_SKIPPED = 10  # files named for one network; the rest stand in its dataset.json
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
        "Headline": f"{task.primary_metric.replace('_', ' ').replace('r2', 'R²')} {scores[task.primary_metric]:.3f}",
        "Parity": f"{scores['parity_error']:.1e}",
        "Parameters": f"{scores['num_parameters']:,}",
    }


def markdown(table: list[dict[str, str]]) -> str:
    """A Markdown table of rows with the same keys."""
    lines = [list(table[0]), ["---"] * len(table[0]), *(list(line.values()) for line in table)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
