"""metrics/report.md: tables of all networks, their comparison with baselines in words, and the skipped files."""

import re
from collections.abc import Mapping
from pathlib import Path

from kelly.evaluation.comparisons import compare_with, fixed, paragraph, strongest_baseline
from kelly.report.model_results import ModelResults
from kelly.runtime.atomic import write_text
from kelly.runtime.errors import KellyError
from kelly.runtime.text import printable

MAX_SKIPPED = 10  # files listed per network; dataset.json lists all
LOSS_UNITS = {"mse": "MSE", "bce": "BCE", "cross_entropy": "CE, nats"}
OUTCOMES = {"better": ": better", "worse": ": **worse**", "no difference": ": no difference", "unknown": ""}

LEGEND = """
Scores are those of the exported files on the test split, on which nothing was chosen. Baseline: the loss of the best
constant. Floor: the smallest loss that any predictor can reach (the noise floor, or Bayes risk), known for synthetic
data. Skill: (baseline − loss) / (baseline − floor). An unknown floor counts as 0; skill is then the relative gain over
the baseline and cannot reach 1. For recurrent networks, skill in parentheses is over one long stream in which the state
is never reset, as in the plugin. Parity: the largest difference between the outputs of the trained network and those of
its export. Samples: sequences for training + validation + test.

Persistence: predict each output from its most recent observed value. Ridge regression: linear, on the same inputs.
Category mean: the mean of the training pieces of the same mode or style. N-gram: the next chord from the last one or
two. Shuffled-input control: the network is given the inputs of another piece. Loss gap: a baseline's loss minus the
network's, above 0 where the network is better. Intervals: 95 %, from a bootstrap over test pieces. They cover the
choice of test pieces, not variation between training seeds. Better and worse mean that 0 lies outside the interval of
the gap.
"""


def write_report(folder: Path, results: Mapping[str, ModelResults]) -> None:
    """Write `{folder}/report.md`; the summary table is its first block.

    Raises KellyError where a score is missing.
    """
    try:
        tables = summary_table(results) + "\n" + full_table(results)
        paragraphs = [paragraph(r.task, r.source, r.scores) for r in results.values()]
    except (KeyError, TypeError, ValueError) as error:
        raise KellyError(
            f"{folder / 'report.md'}: the metrics of a network lack {error}; evaluate the networks again: "
            "dvc repro -f -s evaluate report"
        ) from None
    skipped = [skipped_files(r) for r in results.values() if r.skipped]
    write_text(folder / "report.md", "\n".join([tables, *paragraphs]) + LEGEND + "".join(skipped))


def summary_table(results: Mapping[str, ModelResults]) -> str:
    """A Markdown table of six columns, with one row per network."""
    rows = []
    for r in results.values():
        s, name = r.scores, strongest_baseline(r.task, r.scores)
        best = f"{name.replace('_', ' ')} {fixed(s[f'{name}_skill'])}{OUTCOMES[compare_with(s, name)]}"
        interval = f" ({fixed(s['skill_low'])} to {fixed(s['skill_high'])})" if "skill_low" in s else ""
        rows.append({
            "Network": r.task.title,
            "Data": r.source,
            "Loss": f"{s['loss']:.4f} {LOSS_UNITS[r.task.loss]}",
            "Baseline": f"{s['baseline_loss']:.4f}",
            "Skill": f"{fixed(s['skill'])}{interval}",
            "Best reference": best,
        })  # fmt: skip
    return markdown_table(rows)


def full_table(results: Mapping[str, ModelResults]) -> str:
    """A Markdown table of all that is known of the training and the export, with one row per network."""
    rows = []
    for r in results.values():
        s, metric = r.scores, r.task.primary_metric
        stateful = f" ({s['stateful_skill']:.3f})" if r.task.is_recurrent else ""
        rows.append({
            "Network": r.task.title,
            "Samples": f"{s['num_train']:,} + {s['num_validation']:,} + {s['num_test']:,}",
            "Epochs": str(s["epochs"]),
            "Best epoch": str(s["best_epoch"]),
            "Loss": f"{s['loss']:.4f} {LOSS_UNITS[r.task.loss]}",
            "Baseline": f"{s['baseline_loss']:.4f}",
            "Ridge": f"{s['ridge_loss']:.4f}",
            "Floor": f"{s['floor_loss']:.4f}" if "floor_loss" in s else "unknown",
            "Skill": f"{fixed(s['skill'])}{stateful}",
            "Primary metric": f"{spaced(metric)} {fixed(s[metric])}",
            "Parity": f"{s['parity_error']:.1e}",
            "Parameters": f"{s['num_parameters']:,}",
        })  # fmt: skip
    return markdown_table(rows)


def markdown_table(rows: list[dict[str, str]]) -> str:
    """A Markdown table of rows with the same keys."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def spaced(name: str) -> str:
    """A key as words."""
    return name.replace("_", " ").replace("r2", "R²")


def skipped_files(results: ModelResults) -> str:
    """A list of the files that a source could not use, with the reasons."""
    skipped, name = results.skipped, results.task.name
    lines = [f"- {escape(file['file'])}: {escape(file['reason'])}" for file in skipped[:MAX_SKIPPED]]
    if len(skipped) > MAX_SKIPPED:
        lines.append(f"- and {len(skipped) - MAX_SKIPPED} more")
    return (
        f"\n{results.task.title}: {len(skipped)} of {results.dataset['facts']['files']:,} files were skipped "
        f"(all in `data/datasets/{name}/dataset.json`):\n\n" + "\n".join(lines) + "\n"
    )


def escape(text: str) -> str:
    """Plain text as one line of Markdown, in which nothing is markup, HTML or the start of a list."""
    inline = re.sub(r"[\\`*_\[>|~$]", r"\\\g<0>", printable(" ".join(text.split())).replace("&", "&amp;"))
    inline = inline.replace("<", "&lt;")  # after a backslash it would still be a mark of `kelly results`
    return re.sub(r"^(\d*)([-+#.)])(?=[ #]|$)", r"\1\\\2", inline)
