"""metrics/report.html: all results on one self-contained page; the same results give the same bytes."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, UndefinedError
from markupsafe import Markup, escape

from kelly.config.effective import flatten
from kelly.evaluation.comparisons import fixed, paragraph
from kelly.report.model_results import ModelResults, read_plot
from kelly.report.policy import content_security_policy
from kelly.report.reproduction import hydra_value, reproduce, reproduce_all
from kelly.report.table import LEGEND, LOSS_UNITS, spaced
from kelly.report.warnings import find_shared_warnings, find_warnings
from kelly.runtime.atomic import write_text
from kelly.runtime.errors import KellyError
from kelly.runtime.text import printable
from kelly.tasks import Task

FOLDER = Path(__file__).parent
STYLE = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL)  # in an SVG
NUM_SHOWN = 5  # skipped files; the others are folded away
CAPTIONS = {
    "predictions": "Predictions for the test split.",
    "loss": "Loss by epoch, with the best constant and the best possible loss.",
    "metric": "Metric by epoch.",
}
Plots = Mapping[str, Markup]  # SVGs by the keys of CAPTIONS


def write_page(folder: Path, results: Mapping[str, ModelResults], plots: Path) -> None:
    """Write `{folder}/report.html`. plots: the folder of the SVGs. Raises KellyError where something is missing."""
    svgs = {
        name: {kind: Markup(read_plot(plots / f"{name}_{kind}.svg")) for kind in CAPTIONS}  # noqa: S704
        for name in results
    }
    try:
        text = render(results, svgs)
    except (KeyError, TypeError, UndefinedError) as error:
        raise KellyError(
            f"{folder / 'report.html'}: metrics or metadata of a network lack a value ({error!r}); export and evaluate "
            "the networks again: dvc repro -f -s export evaluate report"
        ) from None
    write_text(folder / "report.html", text)


def render(results: Mapping[str, ModelResults], plots: Mapping[str, Plots]) -> str:
    """The page. Names of files are escaped; plots are trusted."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, finalize=visible,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    css = Markup((FOLDER / "page.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file
    svg_styles = STYLE.findall("".join(svg for each in plots.values() for svg in each.values()))
    environment.filters |= {"number": number, "fixed": fixed, "spaced": spaced}
    lowest = min(0.0, *(r.scores.get("skill_low", r.scores["skill"]) for r in results.values()))
    return environment.get_template("page.html.j2").render(
        css=css,
        policy=content_security_policy(styles=[css, *svg_styles], has_style_attributes=True),
        networks=[section(r, plots[name], max(-1.0, lowest)) for name, r in results.items()],
        shared_warnings=find_shared_warnings(results),
        reproduction=reproduce_all(results),
        legend=[" ".join(part.split()) for part in LEGEND.strip().split("\n\n")],
    )


def visible(value: Any) -> Any:
    """A value of the template; in text, what cannot be seen or changes the direction of writing is escaped."""
    return printable(value, keep="\n") if isinstance(value, str) and not isinstance(value, Markup) else value


def section(results: ModelResults, plots: Plots, lowest: float) -> dict[str, Any]:
    """The values that the template shows of one network. lowest: left end of the bar of its skill."""
    task, scores = results.task, results.scores
    return {
        "task": task,
        "scores": scores,
        "source": results.source,
        "unit": LOSS_UNITS[task.loss],
        "primary_metric": spaced(task.primary_metric),
        "bar": bar(scores, lowest),
        "warnings": find_warnings(results),
        "paragraph": strong(paragraph(task, results.source, scores)),
        "plots": {
            kind: {"caption": caption, "description": describe_plot(task, kind, results), "svg": plots[kind]}
            for kind, caption in CAPTIONS.items()
        },
        "settings": {key: hydra_value(value) for key, value in flatten(results.dataset["settings"])},
        "facts": {key: value for key, value in flatten(results.dataset["facts"]) if key != "skipped"},
        "dataset": results.dataset,
        "metadata": results.metadata,
        "first_skipped": results.skipped[:NUM_SHOWN],
        "more_skipped": results.skipped[NUM_SHOWN:],
        "reproduction": reproduce(results),
    }


def bar(scores: Mapping[str, float], lowest: float) -> dict[str, float]:
    """Positions of the skill, its interval and 0 between `lowest` and 1, in per cent."""

    def position(skill: float) -> float:
        return round(100 * (min(1.0, max(lowest, skill)) - lowest) / (1 - lowest), 2)

    skill = scores["skill"]
    low, high = position(scores.get("skill_low", skill)), position(scores.get("skill_high", skill))
    return {"zero": position(0.0), "skill": position(skill), "low": low, "width": round(high - low, 2)}


def describe_plot(task: Task, kind: str, results: ModelResults) -> str:
    """The text alternative of a plot."""
    if kind == "predictions":
        score = f"{spaced(task.primary_metric)} {fixed(results.scores[task.primary_metric])}"
        return f"{task.title}, predictions against true values of the test split: {score}."
    row, history = results.best_row, results.history
    return (
        f"{task.title}, {kind} over {len(history['epoch'])} epochs: at the best, epoch {history['epoch'][row]}, "
        f"validation {number(history[f'val_{kind}'][row])} and training {number(history[f'train_{kind}'][row])}."
    )


def strong(text: str) -> Markup:
    """Text as HTML, in which ** marks emphasis."""
    return Markup(re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", str(escape(text.strip()))))  # noqa: S704


def number(value: object) -> str:
    """A value for people to read: four significant digits, and commas in large integers."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", "−")
    if isinstance(value, list | tuple):
        return ", ".join(number(item) for item in value)
    return str(value)
