"""metrics/report.html from what the pipeline left: the same results give the same bytes."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined, UndefinedError
from markupsafe import Markup, escape

from kelly.config.effective import flat
from kelly.evaluation.comparisons import fixed, paragraph
from kelly.evaluation.results import read_history
from kelly.report import reproduction, warnings
from kelly.report.model_results import Facts, read_picture
from kelly.report.table import LEGEND, LOSS_UNITS
from kelly.runtime.atomic import write_text
from kelly.runtime.errors import KellyError
from kelly.tasks import TASKS, Task

NUM_SHOWN = 5  # skipped files that are named before one asks for the rest
PICTURES = {
    "predictions": "What it predicts on the test side.",
    "loss": "Loss over the epochs, beside the best constant and the best possible.",
    "metric": "What is followed beside the loss, over the epochs.",
}


def write_page(
    folder: Path, trained: Path, models: Mapping[str, Mapping[str, Any]], data: Mapping[str, Mapping[str, Any]]
) -> None:
    """Write `{folder}/report.html` from the metrics beside it, and from histories and pictures below `trained`.

    models, data: of each network what its export says of itself, and the content of its dataset.json.
    Raises KellyError where something is missing.
    """
    networks = {}
    for name, task in TASKS.items():
        path = folder / f"{name}.json"
        try:
            scores = orjson.loads(path.read_bytes())[name]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise KellyError(f"{path} holds no scores ({error!r}); score it first: dvc repro evaluate@{name}") from None
        history = read_history(trained / "history" / f"{name}_history.json")
        networks[name] = Facts(task, scores, data[name], models[name], history)
    pictures = {
        name: {kind: Markup(read_picture(trained / "plots" / f"{name}_{kind}.svg")) for kind in PICTURES}  # noqa: S704
        for name in networks
    }
    try:
        text = rendered(networks, pictures)
    except (KeyError, TypeError, UndefinedError) as error:
        raise KellyError(
            f"{folder / 'report.html'}: metrics or metadata of a network lack what the page tells ({error!r}); export "
            "and score the networks again: dvc repro -f -s export evaluate report"
        ) from None
    write_text(folder / "report.html", text)


def rendered(networks: Mapping[str, Facts], pictures: Mapping[str, Mapping[str, Markup]]) -> str:
    """The page. Whatever a file may be called is escaped; pictures, which the pipeline drew, are taken as they are."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": number, "fixed": fixed, "spaced": spaced}
    lowest = min(0.0, *(f.scores.get("skill_low", f.scores["skill"]) for f in networks.values()))
    return environment.get_template("page.html.j2").render(
        networks=[section(facts, pictures[name], max(-1.0, lowest)) for name, facts in networks.items()],
        process_group=warnings.of_all(networks),
        reproduction=reproduction.of_all(networks),
        legend=[" ".join(part.split()) for part in LEGEND.strip().split("\n\n")],
    )


def section(facts: Facts, pictures: Mapping[str, Markup], lowest: float) -> dict[str, Any]:
    """What the template says of one network."""
    task, scores, source = facts.task, facts.scores, facts.about["source"]
    about = facts.about["facts"]
    return {
        "task": task,
        "scores": scores,
        "source": source,
        "unit": LOSS_UNITS[task.loss],
        "primary_metric": spaced(task.primary_metric),
        "bar": bar(scores, lowest),
        "cautions": warnings.cautions(facts),
        "verdict": strong(paragraph(task, source, scores)),
        "pictures": {
            kind: {"caption": caption, "description": described(task, kind, facts), "svg": pictures[kind]}
            for kind, caption in PICTURES.items()
        },
        "settings": {key: reproduction.written(value) for key, value in flat(facts.about["settings"])},
        "facts": {key: value for key, value in flat(about) if key != "skipped"},
        "about": facts.about,
        "metadata": facts.metadata,
        "first_skipped": facts.skipped[:NUM_SHOWN],
        "more_skipped": facts.skipped[NUM_SHOWN:],
        "reproduction": reproduction.of_network(facts),
    }


def bar(scores: Mapping[str, float], lowest: float) -> dict[str, float]:
    """Where skill, its interval and 0 lie between `lowest` and 1, in per cent."""

    def place(skill: float) -> float:
        return round(100 * (min(1.0, max(lowest, skill)) - lowest) / (1 - lowest), 2)

    skill = scores["skill"]
    low, high = place(scores.get("skill_low", skill)), place(scores.get("skill_high", skill))
    return {"zero": place(0.0), "skill": place(skill), "low": low, "width": round(high - low, 2)}


def described(task: Task, kind: str, facts: Facts) -> str:
    """A picture in words, for those who do not see it."""
    if kind == "predictions":
        score = f"{spaced(task.primary_metric)} {fixed(facts.scores[task.primary_metric])}"
        return f"{task.title}, predictions beside what is true on the test side: {score}."
    row = facts.best_row
    train, validation = (facts.history[f"{side}_{kind}"][row] for side in ("train", "val"))
    return (
        f"{task.title}, {kind} over {len(facts.history['epoch'])} epochs: at the best, epoch "
        f"{facts.history['epoch'][row]}, validation {number(validation)} and training {number(train)}."
    )


def strong(text: str) -> Markup:
    """A paragraph of kelly.evaluation.comparisons, in which ** stands for emphasis."""
    return Markup(re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", str(escape(text.strip()))))  # noqa: S704


def number(value: object) -> str:
    """A value as people read it: four digits that count, thousands apart."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", "−")
    if isinstance(value, list | tuple):
        return ", ".join(number(one) for one in value)
    return str(value)


def spaced(name: str) -> str:
    """A key as words."""
    return name.replace("_", " ").replace("r2", "R²")
