"""Warnings about results that are not reliable or could be better: one rule per function."""

from collections.abc import Iterator, Mapping

from kelly.evaluation.comparisons import baseline_titles, compare_with, significant
from kelly.export.rtneural_file import TOLERANCE
from kelly.report.model_results import ModelResults

OVERFIT_RATIO = 1.2  # of the validation loss to the training loss
MANY_SKIPPED = 0.05  # as a fraction of a source's files
FEW_PIECES = 30  # test pieces, below which their choice decides much
PARITY_LIMIT = 0.1 * TOLERANCE


def outdated(r: ModelResults) -> Iterator[str]:
    """Made with other settings than the present ones."""
    if r.outdated:
        yield f"Not the network of params.yaml ({'; '.join(r.outdated)}): dvc repro -f -s train@{r.task.name}."


def shuffled_inputs(r: ModelResults) -> Iterator[str]:
    """Trained as a control."""
    if r.metadata["data"]["splitting"]["shuffle_inputs"]:
        yield "shuffle_inputs is on: every input is paired with another's target. This is a control, not a result."


def no_skill(r: ModelResults) -> Iterator[str]:
    """Skill not above 0."""
    if r.scores["skill"] <= 0:
        yield "Not better than the best constant: nothing was learned that generalizes to other pieces."
    elif r.scores.get("skill_low", r.scores["skill"]) <= 0:
        yield "Perhaps not better than the best constant: the interval of the skill includes 0."


def weak_against_baselines(r: ModelResults) -> Iterator[str]:
    """A baseline that is as good or better."""
    for name, title in baseline_titles(r.task, r.scores).items():
        outcome, gap = compare_with(r.scores, name), r.scores[f"{name}_gap"]
        if outcome == "worse":
            yield f"{title} is better: its loss is smaller by {significant(-gap)}."
        elif outcome == "no difference":
            yield f"{title} is as good: no significant difference on the test pieces (loss gap {significant(gap)})."
        elif outcome == "unknown" and gap <= 0:
            yield f"{title} is as good or better (loss gap {significant(gap)}); too few test pieces for an interval."


def independent_of_inputs(r: ModelResults) -> Iterator[str]:
    """The shuffled-input control scores as well."""
    if "shuffled_loss" in r.scores and compare_with(r.scores, "shuffled") in ("no difference", "worse"):
        yield "The score does not depend on the inputs: those of other pieces give the same."


def best_epoch_is_last(r: ModelResults) -> Iterator[str]:
    """Training may have been too short."""
    last, epochs = r.history["epoch"][-1], r.metadata["params"]["epochs"]
    if r.history["epoch"][r.best_row] == last == epochs:
        yield (
            f"The best epoch is the last, {last}: more epochs may help "
            f"(dvc exp run -S models.{r.task.name}.epochs={2 * epochs})."
        )


def overfit(r: ModelResults) -> Iterator[str]:
    """A validation loss far above the training loss at the best epoch."""
    train, validation = (r.history[f"{split}_loss"][r.best_row] for split in ("train", "val"))
    if validation > OVERFIT_RATIO * train > 0:
        yield (
            f"Overfitting: at the best epoch the validation loss, {validation:.4g}, is {validation / train:.1f} times "
            "the training loss. More data, weight_decay or a smaller learning_rate may help."
        )


def skipped_files(r: ModelResults) -> Iterator[str]:
    """Many files could not be used."""
    count, files = len(r.skipped), r.dataset["facts"].get("files", 0)
    if count > MANY_SKIPPED * files > 0:
        yield f"{count:,} of {files:,} files were skipped ({count / files:.0%}): see the reasons below."


def few_pieces(r: ModelResults) -> Iterator[str]:
    """Too few test pieces for a reliable score."""
    count = int(r.scores["num_test_pieces"])
    pieces = f"{count:,} test piece{'' if count == 1 else 's'}"
    if "skill_low" not in r.scores:
        yield f"Only {pieces}: too few for an interval, so any score may be due to chance."
    elif count < FEW_PIECES:
        yield f"Only {pieces}: others could give a very different score, as the interval shows."


def parity(r: ModelResults) -> Iterator[str]:
    """An export near the limit of the parity error."""
    error = r.scores["parity_error"]
    if error > PARITY_LIMIT:
        yield f"Parity: export and network differ by up to {error:.1e}, near the limit of {TOLERANCE:.0e}."


def origin(r: ModelResults) -> Iterator[str]:
    """Code, data or training that the commands of the page do not reproduce."""
    if not r.revision:
        yield "The commit of the code is unknown: it was exported outside git."
    elif r.revision.endswith("-modified"):
        yield "The code had uncommitted changes at export: no commit contains it."
    if r.metadata["data"]["sha256"] != r.dataset["sha256"]:
        yield "The data changed after training: the scores are those of other data."
    if r.metadata.get("origin"):
        yield f"Not the result of a single training: {r.metadata['origin']}."


# The most serious first.
RULES = (
    outdated, shuffled_inputs, no_skill, independent_of_inputs, weak_against_baselines, overfit, best_epoch_is_last,
    few_pieces, skipped_files, parity, origin,
)  # fmt: skip


def find_warnings(results: ModelResults) -> list[str]:
    """The warnings about one network, the most serious first."""
    return [text for rule in RULES for text in rule(results)]


def find_shared_warnings(results: Mapping[str, ModelResults]) -> list[str]:
    """The warnings about all networks together."""
    revisions = {r.revision.removesuffix("-modified") for r in results.values()}
    if len(revisions) > 1:
        return [f"The networks come from {len(revisions)} versions of the code; each section names its own."]
    return []
